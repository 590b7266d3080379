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
{{- $faults = concat $faults (include "ksnapshot.watchFaults" . | fromJsonArray) (include "ksnapshot.metadataFaults" . | fromJsonArray) (include "ksnapshot.imageFaults" . | fromJsonArray) (include "ksnapshot.metricsFaults" . | fromJsonArray) (include "ksnapshot.podFaults" . | fromJsonArray) (include "ksnapshot.networkFaults" . | fromJsonArray) (include "ksnapshot.jobPodFaults" . | fromJsonArray) }}
{{- with include "ksnapshot.strategyFault" . }}{{ $faults = append $faults . }}{{ end }}
{{- if $faults }}
{{- fail (printf "\n\nksnapshot cannot be installed like this:\n  - %s\n" (join "\n  - " $faults)) }}
{{- end }}
{{- end }}

{{/* An alert that is left out, and is none, as a JSON list of faults; and address families that contradict
each other. */}}
{{- define "ksnapshot.metricsFaults" -}}
{{- $faults := list }}
{{- $metrics := .Values.metrics | default dict }}
{{- range ($metrics.prometheusRule | default dict).excludeRules }}
{{- if not ($.Files.Get (printf "rules/%s.yaml" .)) }}
{{- $faults = append $faults (printf "metrics.prometheusRule.excludeRules has %s, and there is no such alert: take it out, or write it as docs/runbooks does" .) }}
{{- end }}
{{- end }}
{{- $service := $metrics.service | default dict }}
{{- if and (eq ($service.ipFamilyPolicy | default "") "SingleStack") (gt (len ($service.ipFamilies | default list)) 1) }}
{{- $faults = append $faults "metrics.service.ipFamilies has two families, and metrics.service.ipFamilyPolicy is SingleStack: name one family, or choose PreferDualStack" }}
{{- end }}
{{- toJson $faults }}
{{- end }}

{{/* What commonLabels and commonAnnotations must leave to the chart, as a JSON list of faults. */}}
{{- define "ksnapshot.metadataFaults" -}}
{{- $faults := list }}
{{- range $name := list "commonLabels" "commonAnnotations" }}
{{- range $key := keys (get $.Values $name | default dict) | sortAlpha }}
{{- if regexMatch "^(app\\.kubernetes\\.io/(name|instance|version|managed-by|component|part-of)$|helm\\.sh/(chart$|hook)|meta\\.helm\\.sh/|ksnapshot\\.clickandmortar\\.fr/)" $key }}
{{- $faults = append $faults (printf "%s must not set %s: the chart, helm or the controller go by it; leave it out" $name $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $faults }}
{{- end }}

{{/* A digest that nothing would come of, as a JSON list of faults. */}}
{{- define "ksnapshot.imageFaults" -}}
{{- $faults := list }}
{{- $whole := include "ksnapshot.flatImages" .Values.dumperImages | fromYaml }}
{{- range $path, $digest := include "ksnapshot.flatImages" .Values.dumperDigests | fromYaml }}
{{- if and $digest (get $whole $path) }}
{{- $faults = append $faults (printf "dumperDigests.%s is for the published image, and dumperImages.%s names another: write the digest into that, as NAME@%s, or empty one of the two" $path $path $digest) }}
{{- end }}
{{- end }}
{{- toJson $faults }}
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
{{- $deployment := lookup "apps/v1" "Deployment" (include "ksnapshot.namespace" .) $name | default dict }}
{{- if dig "spec" "strategy" "rollingUpdate" "" $deployment }}
{{- range dig "metadata" "managedFields" list $deployment }}
{{- if and (eq .manager "helm") (eq .operation "Apply") }}
{{- printf "the Deployment %s must first lose its old update strategy; this restarts nothing:\n      kubectl -n %s patch deployment %s --type merge -p '{\"spec\":{\"strategy\":{\"type\":\"Recreate\",\"rollingUpdate\":null}}}'" $name (include "ksnapshot.namespace" $) $name }}
{{- break }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
