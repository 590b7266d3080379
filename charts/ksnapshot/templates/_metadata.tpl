{{- define "ksnapshot.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ksnapshot.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "ksnapshot.labels" -}}
helm.sh/chart: {{ include "ksnapshot.chart" . }}
{{ include "ksnapshot.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Labels and annotations of an object: `root` is the chart; `labels` and `annotations` are those that
the object has besides, or instead. */}}
{{- define "ksnapshot.metadata" -}}
{{- $common := .root.Values.commonLabels | default dict | deepCopy }}
labels:
  {{- mergeOverwrite $common (include "ksnapshot.labels" .root | fromYaml) (.labels | default dict) | toYaml | nindent 2 }}
{{- with mergeOverwrite (.root.Values.commonAnnotations | default dict | deepCopy) (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
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
