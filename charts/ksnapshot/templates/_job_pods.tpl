{{/* What backupJob.pod must leave to the controller, which looks again, and
what admissionPolicy.enabled does not let through. */}}
{{- define "ksnapshot.jobPodFaults" -}}
{{- $faults := list }}
{{- $pod := .Values.backupJob.pod | default dict }}
{{- range $pod.extraEnv }}
{{- if and (regexMatch "^(?i)(BACKEND_|STORAGE_|KSNAPSHOT_|ENCRYPTION_|AWS_|PYTHON|LD_|(HTTPS?|NO)_PROXY$)" .name) (not (has .name (list "AWS_REGION" "AWS_DEFAULT_REGION" "AWS_STS_REGIONAL_ENDPOINTS"))) }}
{{- $faults = append $faults (printf "backupJob.pod.extraEnv must not set %s: it says where dumps go or under which identity, which is for s3, storages, encryption and backupJob.serviceAccount to say" .name) }}
{{- end }}
{{- end }}
{{- range $pod.extraEnv }}
{{- if regexMatch "^(?i)(CLICKHOUSE|ELASTIC|MARIADB|MYSQL|OPENSEARCH|PG|POSTGRES|(PATH|HOME|HOSTNAME)$)" .name }}
{{- $faults = append $faults (printf "backupJob.pod.extraEnv must not set %s: a database's tools or the image read it; leave it out" .name) }}
{{- end }}
{{- end }}
{{- $volumes := list }}
{{- range $pod.extraVolumes }}
{{- $volumes = append $volumes .name }}
{{- if regexMatch "^(tmp(-.*)?|ca|identity|exchange|drill|passwd)$" .name }}
{{- $faults = append $faults (printf "backupJob.pod.extraVolumes must not have %s: ksnapshot has a volume of that name; choose another" .name) }}
{{- end }}
{{- end }}
{{- range $pod.extraVolumeMounts }}
{{- if regexMatch "^/(tmp|etc/ksnapshot|run|var/run|bin|dev|lib|lib64|proc|sbin|sys|usr|opt)(/|$)" .mountPath }}
{{- $faults = append $faults (printf "backupJob.pod.extraVolumeMounts must not have %s: ksnapshot or its image has that folder; choose another path" .mountPath) }}
{{- end }}
{{- if contains ".." .mountPath }}
{{- $faults = append $faults (printf "backupJob.pod.extraVolumeMounts must not have %s: write the path without `..`" .mountPath) }}
{{- end }}
{{- if not (has .name $volumes) }}
{{- $faults = append $faults (printf "backupJob.pod.extraVolumeMounts has at %s the volume %s, which is none of backupJob.pod.extraVolumes: add it there" .mountPath .name) }}
{{- end }}
{{- end }}
{{- range $list, $key := dict "extraEnv" "name" "extraVolumes" "name" "extraVolumeMounts" "mountPath" }}
{{- $seen := list }}
{{- range get $pod $list | default list }}
{{- $found := get . $key }}
{{- if has $found $seen }}
{{- $faults = append $faults (printf "backupJob.pod.%s has %s twice: leave one out" $list $found) }}
{{- end }}
{{- $seen = append $seen $found }}
{{- end }}
{{- end }}
{{- with .Values.backupJob.ttlSecondsAfterFinished }}
{{- if lt (int64 .) 3600 }}
{{- $faults = append $faults (printf "backupJob.ttlSecondsAfterFinished is %d: set it to 3600 or more, so that the controller can read how a run ended, or to 0" (int64 .)) }}
{{- end }}
{{- end }}
{{- if (.Values.admissionPolicy | default dict).enabled }}
{{- $known := concat (include "ksnapshot.sharedSecrets" . | fromJsonArray) (include "ksnapshot.admissionPolicy" . | fromYaml).secrets }}
{{- range $pod.extraEnv }}
{{- with ((.valueFrom | default dict).secretKeyRef | default dict).name }}
{{- if not (has . $known) }}
{{- $faults = append $faults (printf "backupJob.pod.extraEnv has the Secret %s, which admissionPolicy.enabled does not let into Jobs: add it to admissionPolicy.secrets" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $pod.extraVolumes }}
{{- if or (hasKey . "configMap") (hasKey . "persistentVolumeClaim") }}
{{- $faults = append $faults (printf "backupJob.pod.extraVolumes has %s, which admissionPolicy.enabled does not let into this namespace: use a Secret that admissionPolicy.secrets lists" .name) }}
{{- end }}
{{- with (.secret | default dict).secretName }}
{{- if not (has . $known) }}
{{- $faults = append $faults (printf "backupJob.pod.extraVolumes has the Secret %s, which admissionPolicy.enabled does not let into Jobs: add it to admissionPolicy.secrets" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $faults }}
{{- end }}
