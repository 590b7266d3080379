{{- define "old.selector" -}}
{app.kubernetes.io/name: ksnapshot, app.kubernetes.io/instance: {{ .Release.Name }}}
{{- end }}

{{- define "old.labels" -}}
labels:
  app.kubernetes.io/name: ksnapshot
  app.kubernetes.io/instance: {{ .Release.Name }}
  app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
  helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
