{{/* One rule of a network policy as a list: to these `ports` by these `protocols`, or to all where there
are none, of the peers in `to`, or of all where there are none. */}}
{{- define "ksnapshot.egressRule" -}}
{{- $rule := dict }}
{{- $ports := list }}
{{- range $port := .ports }}
{{- range $protocol := $.protocols | default (list "TCP") }}
{{- $ports = append $ports (dict "protocol" $protocol "port" (int64 $port)) }}
{{- end }}
{{- end }}
{{- with $ports }}{{ $_ := set $rule "ports" . }}{{ end }}
{{- with .to }}{{ $_ := set $rule "to" . }}{{ end }}
{{- toYaml (list $rule) }}
{{- end }}

{{- define "ksnapshot.dnsRule" -}}
{{- include "ksnapshot.egressRule" (dict "ports" .dnsPorts "to" .dns "protocols" (list "UDP" "TCP")) }}
{{- end }}

{{/* The databases, the store, where pods get the identity of a cloud without keys, and what a user adds;
`.` is networkPolicy of the values. */}}
{{- define "ksnapshot.jobRules" -}}
{{ include "ksnapshot.dnsRule" . }}
{{ include "ksnapshot.egressRule" (dict "ports" .databasePorts "to" .databases) }}
{{ include "ksnapshot.egressRule" (dict "ports" .storePorts "to" .store) }}
{{- with .identity }}
{{ include "ksnapshot.egressRule" (dict "to" .) }}
{{- end }}
{{- with .extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}
