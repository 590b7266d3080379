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

{{/* What backupJob.pod must leave to the controller, which looks again and has the whole list of names, and
what admissionPolicy.enabled does not let through. */}}
{{- define "ksnapshot.jobPodFaults" -}}
{{- $faults := list }}
{{- $pod := .Values.backupJob.pod | default dict }}
{{- range $pod.extraEnv }}
{{- if and (regexMatch "^(?i)(BACKEND_|STORAGE_|KSNAPSHOT_|ENCRYPTION_|AWS_|PYTHON|LD_|(HTTPS?|NO)_PROXY$)" .name) (not (has .name (list "AWS_REGION" "AWS_DEFAULT_REGION" "AWS_STS_REGIONAL_ENDPOINTS"))) }}
{{- $faults = append $faults (printf "backupJob.pod.extraEnv must not set %s: it says where dumps go or under which identity, which is for s3, storages, encryption and backupJob.serviceAccount to say" .name) }}
{{- end }}
{{- end }}
{{- with .Values.backupJob.ttlSecondsAfterFinished }}
{{- if lt (int64 .) 3600 }}
{{- $faults = append $faults (printf "backupJob.ttlSecondsAfterFinished is %d: set it to 3600 or more, so that the controller can read how a run ended, or to 0" (int64 .)) }}
{{- end }}
{{- end }}
{{- if (.Values.admissionPolicy | default dict).enabled }}
{{- range $pod.extraVolumes }}
{{- if or (hasKey . "configMap") (hasKey . "persistentVolumeClaim") }}
{{- $faults = append $faults (printf "backupJob.pod.extraVolumes has %s, which admissionPolicy.enabled does not let into this namespace: use a Secret that admissionPolicy.secrets lists" .name) }}
{{- end }}
{{- with (.secret | default dict).secretName }}
{{- if not (has . ($.Values.admissionPolicy.secrets | default list)) }}
{{- $faults = append $faults (printf "backupJob.pod.extraVolumes has the Secret %s, which admissionPolicy.enabled does not let into Jobs: add it to admissionPolicy.secrets" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $faults }}
{{- end }}
