{{/* Groups of values with the defaults of values.yaml, which are absent with `helm upgrade --reuse-values`
of an older release, or null. A test holds the two equal. */}}

{{/* What is given, and what is `own` of all else: an empty list is given, null is not. */}}
{{- define "ksnapshot.withDefaults" -}}
{{- $found := deepCopy .own }}
{{- range $name, $value := .given }}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $found $name $value }}{{ end }}
{{- end }}
{{- toYaml $found }}
{{- end }}

{{- define "ksnapshot.networkPolicy" -}}
{{- $identity := list }}
{{- range include "ksnapshot.identityServers" . | fromYamlArray }}
{{- $identity = append $identity (dict "ipBlock" (dict "cidr" .)) }}
{{- end }}
{{- $own := dict
  "enabled" false
  "dnsPorts" (list 53)
  "apiServerPorts" (list 443 6443)
  "databasePorts" (list 3306 5432 8123 8443 9200)
  "storePorts" (list 443 80 9000)
  "identity" $identity
}}
{{- include "ksnapshot.withDefaults" (dict "given" .Values.networkPolicy "own" $own) }}
{{- end }}

{{- define "ksnapshot.prune" -}}
{{- $own := dict
  "enabled" false
  "schedule" "17 4 * * *"
  "timeZone" "Etc/UTC"
  "deadlineSeconds" 21600
  "successfulJobsHistoryLimit" 3
  "failedJobsHistoryLimit" 3
}}
{{- include "ksnapshot.withDefaults" (dict "given" .Values.prune "own" $own) }}
{{- end }}

{{- define "ksnapshot.admissionPolicy" -}}
{{- $own := dict "enabled" false "images" list "secrets" list }}
{{- include "ksnapshot.withDefaults" (dict "given" .Values.admissionPolicy "own" $own) }}
{{- end }}

{{- define "ksnapshot.prometheusRule" -}}
{{- $own := dict
  "enabled" false
  "excludeRules" list
  "additionalRules" list
  "additionalLabels" dict
  "runbookUrlPrefix" "https://github.com/clickandmortar/ksnapshot/blob/main/docs/runbooks/"
}}
{{- include "ksnapshot.withDefaults" (dict "given" (.Values.metrics | default dict).prometheusRule "own" $own) }}
{{- end }}

{{/* drill.allowedImages as a JSON list. */}}
{{- define "ksnapshot.allowedImages" -}}
{{- $own := list
  "docker.io/library/postgres:*"
  "docker.io/postgis/postgis:*"
  "docker.io/pgvector/pgvector:*"
  "docker.io/timescale/timescaledb:*"
  "docker.io/library/mysql:*"
  "docker.io/library/mariadb:*"
  "docker.io/clickhouse/clickhouse-server:*"
  "docker.elastic.co/elasticsearch/elasticsearch:*"
  "docker.io/library/elasticsearch:*"
  "docker.io/opensearchproject/opensearch:*"
}}
{{- $given := (.Values.drill | default dict).allowedImages }}
{{- ternary $own $given (kindIs "invalid" $given) | toJson }}
{{- end }}

{{/* The entries of dumperImages that have a published image. */}}
{{- define "ksnapshot.publishedImages" -}}
{{- list "mysql.v5_7" "mysql.v8" "postgresql.v16" "elasticsearch" "clickhouse" | toJson }}
{{- end }}
