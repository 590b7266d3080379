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

{{- define "ksnapshot.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace }}
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
{{- $account.name | default "" }}
{{- end }}
{{- end }}

{{/* Of prune; empty means that of the dump jobs. Absent with `helm upgrade --reuse-values`. */}}
{{- define "ksnapshot.pruneServiceAccountName" -}}
{{- $account := (.Values.prune | default dict).serviceAccount | default dict }}
{{- if $account.create }}
{{- default (printf "%s-prune" (include "ksnapshot.fullname" .)) $account.name }}
{{- else }}
{{- $account.name | default "" }}
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
{{- printf "%s-%s-namespaces" (include "ksnapshot.fullname" .) (include "ksnapshot.namespace" .) }}
{{- end }}

{{- define "ksnapshot.configMapName" -}}
{{- default "ksnapshot-cm" .Values.existingConfigMap }}
{{- end }}

{{/* Empty means that the dump jobs get no keys. */}}
{{- define "ksnapshot.secretName" -}}
{{- if .Values.secret.create }}ksnapshot-secret{{ else }}{{ .Values.existingSecret | default "" }}{{ end }}
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

{{/* Whether objects of a kind of Prometheus' operator are made, `true` or `false`: `root` is the chart. With
`auto` it is asked of the cluster, which nobody can in `helm template`. */}}
{{- define "ksnapshot.hasKind" -}}
{{- $mode := (.root.Values.metrics | default dict).renderMode | default "always" }}
{{- if eq $mode "auto" }}
{{- .root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" .kind) }}
{{- else }}
{{- eq $mode "always" }}
{{- end }}
{{- end }}
