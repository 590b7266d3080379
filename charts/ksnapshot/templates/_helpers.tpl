{{/* Names. The first three are helm's usual ones; what they give must never change, because a
Deployment's selector cannot. */}}
{{- define "ksnapshot.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "ksnapshot.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "ksnapshot.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "ksnapshot.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "ksnapshot.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "ksnapshot.backupServiceAccountName" -}}
{{- default (printf "%s-backup" (include "ksnapshot.fullname" .)) .Values.backupJob.serviceAccount.name }}
{{- end }}

{{/* Of jobs that only read; empty means that of the dump jobs. Absent with `helm upgrade --reuse-values`. */}}
{{- define "ksnapshot.readerServiceAccountName" -}}
{{- $account := (.Values.reader | default dict).serviceAccount | default dict }}
{{- if $account.create }}
{{- default (printf "%s-reader" (include "ksnapshot.fullname" .)) $account.name }}
{{- else }}
{{- $account.name }}
{{- end }}
{{- end }}

{{/* Of prune; empty means that of the dump jobs. Absent with `helm upgrade --reuse-values`. */}}
{{- define "ksnapshot.pruneServiceAccountName" -}}
{{- $account := (.Values.prune | default dict).serviceAccount | default dict }}
{{- if $account.create }}
{{- default (printf "%s-prune" (include "ksnapshot.fullname" .)) $account.name }}
{{- else }}
{{- $account.name }}
{{- end }}
{{- end }}

{{/* The Secret with the keys of prune; empty means that it gets none. An identity of its own counts
before the keys of the dump jobs, which may be for writing only. */}}
{{- define "ksnapshot.pruneSecretName" -}}
{{- $prune := .Values.prune | default dict }}
{{- $account := $prune.serviceAccount | default dict }}
{{- if $prune.existingSecret }}
{{- $prune.existingSecret }}
{{- else if not (ternary $account.annotations $account.name ($account.create | default false)) }}
{{- include "ksnapshot.secretName" . }}
{{- end }}
{{- end }}

{{/* The cluster's name in the paths of the bucket, as the controller finds it; empty where nobody can
say, as in `helm template`. */}}
{{- define "ksnapshot.clusterId" -}}
{{- if .Values.clusterName }}
{{- .Values.clusterName }}
{{- else }}
{{- $system := lookup "v1" "Namespace" "" "kube-system" | default dict }}
{{- dig "metadata" "uid" "" $system | trunc 8 }}
{{- end }}
{{- end }}

{{/* The variables of the store that every job has, with their keys in the ConfigMap. */}}
{{- define "ksnapshot.storeVariables" -}}
BACKEND_BUCKET: S3_BUCKET
{{- range $key := list "S3_REGION" "S3_ENDPOINT" "S3_PATH_STYLE" "S3_CA_BUNDLE" "S3_STORAGE_CLASS" "S3_SSE" "S3_SSE_KMS_KEY_ID" "S3_TAGS" "S3_MAX_BANDWIDTH" "S3_PATIENCE" "S3_UPLOAD_CONCURRENCY" "S3_OBJECT_LOCK" }}
BACKEND_{{ $key }}: {{ $key }}
{{- end }}
{{- range $key := list "HTTP_PROXY" "HTTPS_PROXY" "NO_PROXY" }}
{{ $key }}: {{ $key }}
{{- end }}
{{- end }}

{{/* The Secrets of the further storages that Jobs take variables from, as a JSON list; those of prune are
in ksnapshot.storagePruneSecrets. */}}
{{- define "ksnapshot.storageSecrets" -}}
{{- $names := list }}
{{- range $storage := .Values.storages | default dict }}
{{- range $name := list $storage.credentialsSecret $storage.bucketInfoSecret $storage.readerSecret ($storage.ca | default dict).secret }}
{{- with $name }}{{ $names = append $names . }}{{ end }}
{{- end }}
{{- end }}
{{- $names | uniq | sortAlpha | toJson }}
{{- end }}

{{/* The Secrets that jobs have which write or read, of all storages, as a JSON list. */}}
{{- define "ksnapshot.sharedSecrets" -}}
{{- $names := include "ksnapshot.storageSecrets" . | fromJsonArray }}
{{- range list (include "ksnapshot.secretName" .) (.Values.reader | default dict).existingSecret }}
{{- with . }}{{ $names = append $names . }}{{ end }}
{{- end }}
{{- $names | uniq | toJson }}
{{- end }}

{{- define "ksnapshot.storagePruneSecrets" -}}
{{- $names := list }}
{{- range .Values.storages | default dict }}
{{- with .pruneSecret }}{{ $names = append $names . }}{{ end }}
{{- end }}
{{- $names | uniq | sortAlpha | toJson }}
{{- end }}

{{/* The variables of a further storage that is a job's only one, with their values; what is not said is
left out. The controller makes them likewise for the Jobs of workloads. */}}
{{- define "ksnapshot.storageLiterals" -}}
{{- $lock := .objectLock | default dict }}
{{- $found := dict
  "BACKEND_BUCKET" .bucket
  "BACKEND_S3_ENDPOINT" .endpoint
  "BACKEND_S3_REGION" .region
  "BACKEND_S3_PATH_STYLE" (ternary "" (toString .pathStyle) (kindIs "invalid" .pathStyle))
  "BACKEND_S3_STORAGE_CLASS" .storageClass
  "BACKEND_S3_SSE" .sse
  "BACKEND_S3_SSE_KMS_KEY_ID" .sseKmsKeyId
  "BACKEND_S3_TAGS" .tags
  "BACKEND_S3_MAX_BANDWIDTH" .maxBandwidth
  "BACKEND_S3_PATIENCE" .patience
  "BACKEND_S3_UPLOAD_CONCURRENCY" .uploadConcurrency
  "BACKEND_S3_OBJECT_LOCK" (ternary (printf "%s:%d" (toString $lock.mode) (int64 $lock.days)) "" (not (empty $lock)))
}}
{{- range $name, $value := $found }}
{{- if not (empty $value) }}
{{ $name }}: {{ $value | toString | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* The images that a throwaway server may have, as a regular expression: those of drill.images,
whatever version they are filled with, and those that drill.allowedImages lists. The controller writes
the full names of the latter, so that no pattern has to let a name without its registry through. */}}
{{- define "ksnapshot.drillImages" -}}
{{- $drill := .Values.drill | default dict }}
{{- $patterns := list }}
{{- range $drill.images }}
{{- with . }}
{{- $patterns = append $patterns (regexReplaceAll `\\\{(major|minor|version)\\\}` (regexQuoteMeta .) `[\w.-]+`) }}
{{- end }}
{{- end }}
{{- range $drill.allowedImages }}
{{- $patterns = append $patterns (regexQuoteMeta . | replace `\*` ".*") }}
{{- end }}
{{- printf "^(%s)$" (join "|" $patterns) }}
{{- end }}

{{/* What keeps sidecars out of prune's pods, as the controller does of dump pods: one that stays would
keep the Job, and every later one waiting. */}}
{{- define "ksnapshot.sidecarsOut" -}}
labels:
  sidecar.istio.io/inject: "false"
  kuma.io/sidecar-injection: disabled
annotations:
  sidecar.istio.io/inject: "false"
  linkerd.io/inject: disabled
  kuma.io/sidecar-injection: disabled
  consul.hashicorp.com/connect-inject: "false"
  vault.hashicorp.com/agent-inject: "false"
  sidecar.opentelemetry.io/inject: "false"
  injector.nsm.nginx.com/auto-inject: "false"
  appmesh.k8s.aws/sidecarInjectorWebhook: disabled
  openservicemesh.io/sidecar-injection: disabled
  dapr.io/enabled: "false"
{{- end }}

{{/* The full name with an `end`, of at most `most` characters; `root` is the chart. A full name that is
too long is cut, and told from others that begin alike by a hash of it. */}}
{{- define "ksnapshot.nameWith" -}}
{{- $room := sub .most (len .end) | int }}
{{- $name := include "ksnapshot.fullname" .root }}
{{- if gt (len $name) $room }}
{{- $name = printf "%s-%s" ($name | trunc (sub $room 9 | int) | trimSuffix "-") ($name | sha256sum | trunc 8) }}
{{- end }}
{{- printf "%s%s" $name .end }}
{{- end }}

{{/* The CronJob of prune: `root` is the chart, `storage` the name of a storage, of at most 32
characters, and that of a CronJob has 52. */}}
{{- define "ksnapshot.pruneName" -}}
{{- $end := ternary "-prune" (printf "-prune-%s" .storage) (eq .storage "main") }}
{{- include "ksnapshot.nameWith" (dict "root" .root "end" $end "most" 52) }}
{{- end }}

{{/* Whether there is `main`, `true` or `false`: a bucket, or a ConfigMap of one's own that has it.
Without further storages there always is, so that what is missing is told. */}}
{{- define "ksnapshot.hasMain" -}}
{{- $further := without (keys (.Values.storages | default dict)) "main" }}
{{- if or .Values.existingConfigMap .Values.s3.bucket (not $further) }}true{{ else }}false{{ end }}
{{- end }}

{{/* The ConfigMaps that the controller writes: in the release's namespace, and the boards. */}}
{{- define "ksnapshot.statusName" -}}
{{- printf "%s-status" (include "ksnapshot.fullname" .) }}
{{- end }}

{{/* Whether there are boards, `true` or `false`; absent with `helm upgrade --reuse-values`. */}}
{{- define "ksnapshot.boards" -}}
{{- ne (toString (.Values.controller | default dict).boards) "false" }}
{{- end }}

{{/* Whether replicas agree by a Lease which one acts, `true` or `false`. Unless it is said: only where
there are several, so that one replica needs no further right, and begins its work at once. */}}
{{- define "ksnapshot.leaderElection" -}}
{{- $given := toString (.Values.leaderElection | default dict).enabled }}
{{- if has $given (list "true" "false") }}{{ $given }}{{ else }}{{ gt (int .Values.replicaCount) 1 }}{{ end }}
{{- end }}

{{/* Not on one node, where that can be; what `affinity` says of other pods takes its place. */}}
{{- define "ksnapshot.affinity" -}}
{{- $affinity := .Values.affinity | default dict }}
{{- if and (gt (int .Values.replicaCount) 1) (not (hasKey $affinity "podAntiAffinity")) }}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (include "ksnapshot.selectorLabels" . | fromYaml)) }}
{{- $apart := dict "preferredDuringSchedulingIgnoredDuringExecution" (list (dict "weight" 100 "podAffinityTerm" $term)) }}
{{- $affinity = merge (dict "podAntiAffinity" $apart) $affinity }}
{{- end }}
{{- with $affinity }}{{ toYaml . }}{{ end }}
{{- end }}

{{- define "ksnapshot.metricsName" -}}
{{- include "ksnapshot.nameWith" (dict "root" . "end" "-metrics" "most" 63) }}
{{- end }}

{{- define "ksnapshot.httpPort" -}}
{{- (.Values.controller | default dict).httpPort | default 8080 | int }}
{{- end }}

{{- define "ksnapshot.statusPage" -}}
{{- (.Values.statusPage | default dict).listen | default "127.0.0.1:8081" }}
{{- end }}

{{/* Cluster-wide, so the namespace keeps two installs apart. */}}
{{- define "ksnapshot.clusterRoleName" -}}
{{- printf "%s-%s-namespaces" (include "ksnapshot.fullname" .) .Release.Namespace }}
{{- end }}

{{- define "ksnapshot.configMapName" -}}
{{- default "ksnapshot-cm" .Values.existingConfigMap }}
{{- end }}

{{/* Empty means that the dump jobs get no keys. */}}
{{- define "ksnapshot.secretName" -}}
{{- if .Values.secret.create }}ksnapshot-secret{{ else }}{{ .Values.existingSecret }}{{ end }}
{{- end }}

{{/* Labels. */}}
{{- define "ksnapshot.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ksnapshot.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ksnapshot.labels" -}}
helm.sh/chart: {{ include "ksnapshot.chart" . }}
{{ include "ksnapshot.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Images. */}}
{{- define "ksnapshot.imageTag" -}}
{{- default .Chart.AppVersion .Values.image.tag }}
{{- end }}

{{/* All of dumperImages as one flat map: `mysql.v8` or `clickhouse` to a reference, empty for the
published image. What `helm upgrade --reuse-values` did not bring is left to the controller, whose
defaults are the published images. */}}
{{- define "ksnapshot.dumperImages" -}}
{{- $flat := dict }}
{{- range $type, $given := .Values.dumperImages }}
{{- if kindIs "map" $given }}
{{- range $version, $reference := $given }}
{{- $_ := set $flat (printf "%s.%s" $type $version) ($reference | default "") }}
{{- end }}
{{- else }}
{{- $_ := set $flat $type ($given | default "") }}
{{- end }}
{{- end }}
{{- toYaml $flat }}
{{- end }}

{{/* The controller's variable: mysql.v5_7 is MYSQL_DUMPER_IMAGE_5_7, clickhouse CLICKHOUSE_DUMPER_IMAGE. */}}
{{- define "ksnapshot.dumperImageVariable" -}}
{{- $parts := splitList "." . }}
{{- first $parts | upper }}_DUMPER_IMAGE{{ range rest $parts }}_{{ trimPrefix "v" . }}{{ end }}
{{- end }}

{{/* The published repository: that of mysql.v5_7 ends with -mysql-5.7, that of clickhouse with -clickhouse. */}}
{{- define "ksnapshot.dumperRepository" -}}
{{- $parts := splitList "." . }}
{{- printf "ghcr.io/clickandmortar/ksnapshot-dumper-%s" (first $parts) }}{{ range rest $parts }}-{{ trimPrefix "v" . | replace "_" "." }}{{ end }}
{{- end }}

{{/* A list, or one string with commas, as a JSON list: trimmed, without empty ones and doubles. */}}
{{- define "ksnapshot.namesOf" -}}
{{- $given := . }}
{{- if kindIs "string" $given }}{{ $given = splitList "," $given }}{{ end }}
{{- $names := list }}
{{- range $given }}
{{- $name := trim . }}
{{- if and $name (not (has $name $names)) }}{{ $names = append $names $name }}{{ end }}
{{- end }}
{{- toJson $names }}
{{- end }}

{{/* The watched namespaces as a JSON list. They are given by either of two names, of which one may be
missing; without both it is `default`. */}}
{{- define "ksnapshot.watchNamespaces" -}}
{{- $top := .Values.watchNamespaces }}
{{- $given := ternary .Values.rbac.watchNamespaces $top (kindIs "invalid" $top) }}
{{- if kindIs "invalid" $given }}{{ $given = list "default" }}{{ end }}
{{- include "ksnapshot.namesOf" $given }}
{{- end }}

{{/* What the schema cannot say; all faults at once. Every install renders the Deployment, which
includes this first. */}}
{{- define "ksnapshot.validate" -}}
{{- $faults := list }}
{{- range $name, $given := dict "watchNamespaces" .Values.watchNamespaces "rbac.watchNamespaces" .Values.rbac.watchNamespaces }}
{{- if and (not (kindIs "invalid" $given)) (not (include "ksnapshot.namesOf" $given | fromJsonArray)) }}
{{- $faults = append $faults (printf "%s must contain at least one namespace" $name) }}
{{- end }}
{{- end }}
{{- with include "ksnapshot.watchFault" . }}{{ $faults = append $faults . }}{{ end }}
{{- if and .Values.encryption.enabled (not .Values.encryption.recipient) }}
{{- $faults = append $faults "encryption.recipient is required when encryption.enabled is true (an age recipient, age1…)" }}
{{- end }}
{{- if and .Values.encryption.enforced (not .Values.encryption.recipient) }}
{{- $faults = append $faults "encryption.recipient is required when encryption.enforced is true (an age recipient, age1…)" }}
{{- end }}
{{- if .Values.secret.create }}
{{- range $key := list "awsAccessKeyId" "awsSecretAccessKey" }}
{{- if not (get $.Values.secret $key) }}
{{- $faults = append $faults (printf "secret.%s is required when secret.create is true" $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.podLabels }}
{{- range $label := list "app.kubernetes.io/name" "app.kubernetes.io/instance" }}
{{- if hasKey $.Values.podLabels $label }}
{{- $faults = append $faults (printf "podLabels must not set %s: the Deployment's selector uses it" $label) }}
{{- end }}
{{- end }}
{{- end }}
{{- if hasSuffix (printf ":%s" (include "ksnapshot.httpPort" .)) (include "ksnapshot.statusPage" .) }}
{{- $faults = append $faults "statusPage.listen must have another port than controller.httpPort: the page is for people, and never on the port that is scraped" }}
{{- end }}
{{- if and (gt (int .Values.replicaCount) 1) (eq (include "ksnapshot.leaderElection" .) "false") }}
{{- $faults = append $faults "leaderElection.enabled must not be false when replicaCount is more than 1: all of them would write" }}
{{- end }}
{{- if and (.Values.prune | default dict).enabled (not (include "ksnapshot.clusterId" .)) }}
{{- $faults = append $faults "clusterName is required when prune.enabled is true and helm cannot ask the cluster; backups that were made without it lie under the first eight characters of:\n      kubectl get namespace kube-system -o jsonpath={.metadata.uid}" }}
{{- end }}
{{- with include "ksnapshot.strategyFault" . }}{{ $faults = append $faults . }}{{ end }}
{{- if $faults }}
{{- fail (printf "\n\nksnapshot cannot be installed like this:\n  - %s\n" (join "\n  - " $faults)) }}
{{- end }}
{{- end }}

{{/* Which of two different lists is meant, nobody can say. */}}
{{- define "ksnapshot.watchFault" -}}
{{- $top := .Values.watchNamespaces }}
{{- $old := .Values.rbac.watchNamespaces }}
{{- if not (or (kindIs "invalid" $top) (kindIs "invalid" $old)) }}
{{- $top = include "ksnapshot.namesOf" $top | fromJsonArray | sortAlpha | join "," }}
{{- $old = include "ksnapshot.namesOf" $old | fromJsonArray | sortAlpha | join "," }}
{{- if ne $top $old }}
{{- printf "watchNamespaces (%s) and rbac.watchNamespaces (%s) are two names of one value: set one of them, or both to the same namespaces" $top $old }}
{{- end }}
{{- end }}
{{- end }}

{{/* A Deployment of 0.6.0 has the strategy that the API server filled in. Server-side apply (helm 4
on a release that helm 4 installed) cannot take that away, and the API server would refuse the
upgrade with a sentence that helps nobody. */}}
{{- define "ksnapshot.strategyFault" -}}
{{- $name := include "ksnapshot.fullname" . }}
{{- $deployment := lookup "apps/v1" "Deployment" .Release.Namespace $name | default dict }}
{{- if dig "spec" "strategy" "rollingUpdate" "" $deployment }}
{{- range dig "metadata" "managedFields" list $deployment }}
{{- if and (eq .manager "helm") (eq .operation "Apply") }}
{{- printf "the Deployment %s must first lose its old update strategy; this restarts nothing:\n      kubectl -n %s patch deployment %s --type merge -p '{\"spec\":{\"strategy\":{\"type\":\"Recreate\",\"rollingUpdate\":null}}}'" $name $.Release.Namespace $name }}
{{- break }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* What a person may look at: no Secrets, no logs. */}}
{{- define "ksnapshot.viewRules" -}}
- apiGroups: [batch]
  resources: [cronjobs, jobs]
  verbs: [get, list]
- apiGroups: [""]
  resources: [pods, events]
  verbs: [get, list]
# The controller's own settings, and the workloads that it cannot back up.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list]
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ include "ksnapshot.fullname" . }}-status]
  verbs: [get]
{{- end }}

{{/* What a person may do besides looking, but for deleting backups. */}}
{{- define "ksnapshot.adminRules" -}}
{{ include "ksnapshot.viewRules" . }}
# Backups now, restores, verifications, and their end.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [create, patch, delete]
# A restore suspends the schedule while it writes.
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [update, patch]
# The identity of a restore, which goes with its Job; the keys of Secrets that are named.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create]
# What a Job says of its progress, and the list of backups.
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
# A fetch whose bytes come through the cluster.
- apiGroups: [""]
  resources: [pods/portforward]
  verbs: [create]
{{- end }}
