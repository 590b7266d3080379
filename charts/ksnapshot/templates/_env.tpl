{{/* The controller's variables: all of them, so that none can come from extraEnvFrom. */}}
{{- define "ksnapshot.env" -}}
{{- /* Absent with `helm upgrade --reuse-values` from 0.6.0; the controller has the same defaults. */ -}}
{{- $controller := .Values.controller | default dict -}}
{{- $notifications := .Values.notifications | default dict -}}
- name: MODE
  value: cluster
- name: WATCH_NAMESPACES
  value: {{ include "ksnapshot.watchNamespaces" . | fromJsonArray | join "," | quote }}
- name: WATCH_NAMESPACE_SELECTOR
  value: {{ .Values.watchNamespaceSelector | default "" | quote }}
- name: CONTROL_NAMESPACE
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: metadata.namespace
- name: INSTANCE_NAME
  value: {{ .Release.Name | quote }}
- name: DEPLOYMENT_NAME
  value: {{ include "ksnapshot.fullname" . | quote }}
- name: BACKUP_CONFIGMAP_NAME
  value: {{ include "ksnapshot.configMapName" . | quote }}
- name: BACKUP_SECRET_NAME
  value: {{ include "ksnapshot.secretName" . | quote }}
- name: BACKUP_JOB_SERVICE_ACCOUNT_NAME
  value: {{ include "ksnapshot.backupServiceAccountName" . | quote }}
- name: READER_SECRET_NAME
  value: {{ (.Values.reader | default dict).existingSecret | default "" | quote }}
- name: READER_SERVICE_ACCOUNT_NAME
  value: {{ include "ksnapshot.readerServiceAccountName" . | quote }}
- name: BACKUP_IMAGE_PULL_POLICY
  value: {{ default "IfNotPresent" .Values.backupJob.imagePullPolicy | quote }}
- name: BACKUP_COMPRESSION
  value: {{ .Values.backupJob.compression | default "gzip" | quote }}
- name: BACKUP_VERIFY
  value: {{ .Values.backupJob.verify | default "none" | quote }}
- name: RETENTION_POLICY
  value: {{ (.Values.retention | default dict).policy | default "none" | quote }}
- name: RETENTION_FLOOR
  value: {{ (.Values.retention | default dict).floor | default "keep-last=3,keep-within=7d" | quote }}
- name: VERIFY_SCHEDULE
  value: {{ (.Values.verify | default dict).schedule | default "none" | quote }}
- name: VERIFY_SAMPLE
  value: {{ (.Values.verify | default dict).sample | default "none" | quote }}
{{- /* Absent with `helm upgrade --reuse-values`; the controller has the same defaults. */}}
{{- with .Values.drill }}
- name: DRILL_SCHEDULE
  value: {{ .schedule | default "none" | quote }}
- name: DRILL_DEADLINE_SECONDS
  value: {{ .deadlineSeconds | default 21600 | int64 | quote }}
- name: DRILL_IMAGES
  value: {{ .images | default dict | toJson | quote }}
- name: DRILL_ALLOWED_IMAGES
  value: {{ include "ksnapshot.allowedImages" $ | quote }}
- name: DRILL_VOLUME
  value: {{ .volume | default dict | toJson | quote }}
- name: DRILL_RESOURCES
  value: {{ .resources | default dict | toJson | quote }}
- name: DRILL_IMAGE_PULL_SECRETS
  value: {{ .imagePullSecrets | default list | toJson | quote }}
{{- end }}
- name: PRUNE_SECRET_NAME
  value: {{ include "ksnapshot.pruneSecretName" . | quote }}
- name: PRUNE_SERVICE_ACCOUNT_NAME
  value: {{ include "ksnapshot.pruneServiceAccountName" . | quote }}
{{- with include "ksnapshot.prune" . | fromYaml }}
- name: PRUNE_ENABLED
  value: {{ .enabled | quote }}
- name: PRUNE_SCHEDULE
  value: {{ .schedule | quote }}
- name: PRUNE_TIME_ZONE
  value: {{ .timeZone | quote }}
{{- end }}
- name: STORAGES
  value: {{ .Values.storages | default dict | toJson | quote }}
- name: MAIN_STORAGE
  value: {{ include "ksnapshot.hasMain" . | quote }}
- name: BACKUP_SUCCESSFUL_JOBS_HISTORY_LIMIT
  value: {{ .Values.backupJob.successfulJobsHistoryLimit | default 3 | int64 | quote }}
- name: BACKUP_FAILED_JOBS_HISTORY_LIMIT
  value: {{ .Values.backupJob.failedJobsHistoryLimit | default 3 | int64 | quote }}
- name: BACKUP_JOB_TTL_SECONDS
  value: {{ .Values.backupJob.ttlSecondsAfterFinished | default 0 | int64 | quote }}
- name: BACKUP_MAX_CONCURRENT
  value: {{ .Values.backupJob.maxConcurrent | default 0 | int64 | quote }}
- name: BACKUP_MAX_CONCURRENT_PER_HOST
  value: {{ .Values.backupJob.maxConcurrentPerHost | default 0 | int64 | quote }}
{{- /* Absent with `helm upgrade --reuse-values`; the controller has the same default. */}}
{{- with .Values.hosts }}
- name: HOSTS_ALLOWED
  value: {{ .allowed | default list | toJson | quote }}
{{- end }}
{{- with .Values.limits }}
- name: LIMITS_WORKLOADS_PER_NAMESPACE
  value: {{ .workloadsPerNamespace | default 0 | int64 | quote }}
- name: LIMITS_MIN_INTERVAL_SECONDS
  value: {{ .minIntervalSeconds | default 0 | int64 | quote }}
{{- end }}
{{- range $path, $reference := include "ksnapshot.dumperImages" . | fromYaml }}
- name: {{ include "ksnapshot.dumperImageVariable" $path }}
  value: {{ $reference | quote }}
{{- end }}
- name: DEFAULT_ENCRYPTION_ENABLED
  value: {{ .Values.encryption.enabled | default false | quote }}
- name: DEFAULT_ENCRYPTION_RECIPIENT
  value: {{ .Values.encryption.recipient | default "" | quote }}
- name: ENCRYPTION_ENFORCED
  value: {{ .Values.encryption.enforced | default false | quote }}
- name: IDENTITY_SECRET
  value: {{ .Values.identitySecret | default "" | quote }}
- name: PROOF_SIGNING_KEY_SECRET
  value: {{ (.Values.proof | default dict).signingKeySecret | default "" | quote }}
{{- with .Values.bootstrap | default dict }}
- name: BOOTSTRAP_FROM
  value: {{ .from | default "Same" | quote }}
- name: BOOTSTRAP_PAIRS
  value: {{ .pairs | default "" | quote }}
{{- end }}
- name: CLASSES
  value: {{ .Values.classes | default dict | toJson | quote }}
- name: CLASS_REQUIRED
  value: {{ .Values.classRequired | default false | quote }}
- name: BACKUP_JOB_POD
  value: {{ .Values.backupJob.pod | default dict | toJson | quote }}
- name: CLUSTER_NAME
  value: {{ .Values.clusterName | default "" | quote }}
{{- range $name, $value := dict
  "POLL_INTERVAL_SECONDS" $controller.pollIntervalSeconds
  "GONE_PASSES" $controller.gonePasses
  "GONE_GRACE_SECONDS" $controller.goneGraceSeconds
  "CREDENTIALS_REFRESH_SECONDS" $controller.credentialsRefreshSeconds
  "API_TIMEOUT_SECONDS" $controller.apiTimeoutSeconds
}}
{{- if not (kindIs "invalid" $value) }}
- name: {{ $name }}
  value: {{ int64 $value | quote }}
{{- end }}
{{- end }}
{{- with $controller.unwatchedPolicy }}
- name: UNWATCHED_POLICY
  value: {{ . | quote }}
{{- end }}
{{- with .Values.log | default dict }}
- name: LOG_LEVEL
  value: {{ .level | default "info" | quote }}
- name: LOG_FORMAT
  value: {{ .format | default "auto" | quote }}
{{- end }}
- name: NOTIFICATIONS_FOLDER
  value: {{ ternary "/etc/ksnapshot/notifications" "" (not (empty $notifications.existingSecret)) | quote }}
- name: NOTIFICATIONS_ABOUT
  value: {{ $notifications.about | default "failure,recovery,overdue" | quote }}
- name: BOARDS
  value: {{ include "ksnapshot.boards" . | quote }}
- name: STATUS_PAGE_LISTEN
  value: {{ include "ksnapshot.statusPage" . | quote }}
- name: HTTP_PORT
  value: {{ include "ksnapshot.httpPort" . | quote }}
- name: LEADER_ELECTION
  value: {{ include "ksnapshot.leaderElection" . | quote }}
- name: LEASE_DURATION_SECONDS
  value: {{ (.Values.leaderElection | default dict).leaseDurationSeconds | default 15 | int | quote }}
{{- end }}

{{/* The chart's own variables, and the user's. */}}
{{- define "ksnapshot.allEnv" -}}
{{ include "ksnapshot.env" . }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
