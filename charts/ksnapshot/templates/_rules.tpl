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
