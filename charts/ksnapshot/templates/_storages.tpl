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

{{/* `true`, `false`, or empty where it is not said. */}}
{{- define "ksnapshot.pathStyle" -}}
{{- if not (kindIs "invalid" .) }}{{ toString . }}{{ end }}
{{- end }}

{{/* The variables of a further storage that is a job's only one, with their values; what is not said is
left out. The controller makes them likewise for the Jobs of workloads. */}}
{{- define "ksnapshot.storageLiterals" -}}
{{- $lock := .objectLock | default dict }}
{{- $found := dict
  "BACKEND_BUCKET" .bucket
  "BACKEND_S3_ENDPOINT" .endpoint
  "BACKEND_S3_REGION" .region
  "BACKEND_S3_PATH_STYLE" (include "ksnapshot.pathStyle" .pathStyle)
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

{{/* Whether there is `main`, `true` or `false`: a bucket, or a ConfigMap of one's own that has it.
Without further storages there always is, so that what is missing is told. */}}
{{- define "ksnapshot.hasMain" -}}
{{- $further := without (keys (.Values.storages | default dict)) "main" }}
{{- if or .Values.existingConfigMap .Values.s3.bucket (not $further) }}true{{ else }}false{{ end }}
{{- end }}
