{{/* The metadata servers of clouds, and the agents that give pods an identity, as addresses. */}}
{{- define "ksnapshot.identityServers" -}}
- 169.254.169.254/32
- 169.254.169.252/32
- 169.254.170.23/32
- fd00:ec2::254/128
- fd00:ec2::23/128
{{- end }}

{{/* All peers but those. */}}
{{- define "ksnapshot.besidesIdentity" -}}
{{- $servers := include "ksnapshot.identityServers" . | fromYamlArray }}
{{- $of := dict "0.0.0.0/0" list "::/0" list }}
{{- range $servers }}
{{- $all := ternary "0.0.0.0/0" "::/0" (contains "." .) }}
{{- $_ := set $of $all (append (get $of $all) .) }}
{{- end }}
{{- range $all, $except := $of }}
- ipBlock:
    cidr: {{ $all | quote }}
    except: {{ toJson $except }}
{{- end }}
# Some networks do not count pods among addresses.
- namespaceSelector: {}
{{- end }}

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

{{/* Rules that would let everything through, as a JSON list of faults. */}}
{{- define "ksnapshot.networkFaults" -}}
{{- $faults := list }}
{{- $policy := include "ksnapshot.networkPolicy" . | fromYaml }}
{{- range $ports, $peers := dict "apiServerPorts" "apiServer" "databasePorts" "databases" "storePorts" "store" }}
{{- if and $policy.enabled (not (get $policy $ports)) (not (get $policy $peers)) }}
{{- $faults = append $faults (printf "networkPolicy.%s and networkPolicy.%s are both empty, which would let everything through: say the ports, or the peers" $ports $peers) }}
{{- end }}
{{- end }}
{{- toJson $faults }}
{{- end }}

{{- define "ksnapshot.dnsRule" -}}
{{- include "ksnapshot.egressRule" (dict "ports" .dnsPorts "to" .dns "protocols" (list "UDP" "TCP")) }}
{{- end }}

{{/* The databases, the store, where pods get the identity of a cloud without keys, and what a user adds;
`.` is networkPolicy of the values. Where nobody says where databases and the store are, they are not
where that identity is: its rule alone opens that. */}}
{{- define "ksnapshot.jobRules" -}}
{{ include "ksnapshot.dnsRule" . }}
{{- $anywhere := include "ksnapshot.besidesIdentity" . | fromYamlArray }}
{{ include "ksnapshot.egressRule" (dict "ports" .databasePorts "to" (.databases | default $anywhere)) }}
{{ include "ksnapshot.egressRule" (dict "ports" .storePorts "to" (.store | default $anywhere)) }}
{{- with .identity }}
{{ include "ksnapshot.egressRule" (dict "to" .) }}
{{- end }}
{{- with .extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}
