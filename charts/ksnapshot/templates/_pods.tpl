{{/* The security contexts of a pod and of a container, from what values say of it. They are absent with
`helm upgrade --reuse-values`. */}}
{{- define "ksnapshot.podSecurity" -}}
{{- $own := dict "runAsUser" 65532 "runAsGroup" 65532 "fsGroup" 65532 "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") }}
{{- include "ksnapshot.withoutNull" (. | default $own) }}
{{- end }}

{{- define "ksnapshot.containerSecurity" -}}
{{- $own := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) }}
{{- include "ksnapshot.withoutNull" (. | default $own) }}
{{- end }}

{{/* Where the pods of the controller's image run, and what they see of the network. */}}
{{- define "ksnapshot.placement" -}}
{{- $found := dict }}
{{- range $name := list "nodeSelector" "tolerations" "topologySpreadConstraints" "priorityClassName" "runtimeClassName" "hostAliases" "dnsConfig" }}
{{- with get $.Values $name }}{{ $_ := set $found $name . }}{{ end }}
{{- end }}
{{- with $found }}{{ toYaml . }}{{ end }}
{{- end }}

{{- define "ksnapshot.withoutNull" -}}
{{- $found := dict }}
{{- range $name, $value := . }}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $found $name $value }}{{ end }}
{{- end }}
{{- toYaml $found }}
{{- end }}

{{/* What the controller's pod must leave to the chart, as a JSON list of faults. */}}
{{- define "ksnapshot.podFaults" -}}
{{- $faults := list }}
{{- $own := list }}
{{- range include "ksnapshot.env" . | fromYamlArray }}{{ $own = append $own .name }}{{ end }}
{{- range .Values.extraEnv }}
{{- if regexMatch "^(PYTHON|LD_|KUBERNETES_|(HOME|PATH|HOSTNAME)$)" .name }}
{{- $faults = append $faults (printf "extraEnv must not set %s: it changes how the controller's image starts, or which API server it talks to; leave it out" .name) }}
{{- end }}
{{- if has .name $own }}
{{- $faults = append $faults (printf "extraEnv must not set %s: the chart does, by a value of its own (see the table in its README.md)" .name) }}
{{- end }}
{{- end }}
{{- range .Values.extraVolumes }}
{{- if has .name (list "tmp" "notifications") }}
{{- $faults = append $faults (printf "extraVolumes must not have %s: the chart has a volume of that name; choose another" .name) }}
{{- end }}
{{- end }}
{{- range .Values.extraVolumeMounts }}
{{- if regexMatch "^(/tmp|/etc/ksnapshot|(/var)?/run/secrets)(/|$)" .mountPath }}
{{- $faults = append $faults (printf "extraVolumeMounts must not have %s: the chart mounts there; choose another path" .mountPath) }}
{{- end }}
{{- end }}
{{- toJson $faults }}
{{- end }}
