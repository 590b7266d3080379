{{- define "ksnapshot.imageTag" -}}
{{- default .Chart.AppVersion .Values.image.tag }}
{{- end }}

{{/* A reference of a published image: `root` is the chart, `repository` the image with its registry, for
which global.imageRegistry may stand, and `digest` may be empty. */}}
{{- define "ksnapshot.reference" -}}
{{- $repository := .repository }}
{{- with (.root.Values.global | default dict).imageRegistry }}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $repository "") }}
{{- end }}
{{- printf "%s:%s" $repository (include "ksnapshot.imageTag" .root) }}
{{- with .digest }}@{{ . }}{{ end }}
{{- end }}

{{/* The controller's image. */}}
{{- define "ksnapshot.image" -}}
{{- include "ksnapshot.reference" (dict "root" . "repository" .Values.image.repository "digest" .Values.image.digest) }}
{{- end }}

{{/* A map by engines, and by versions where there are several, as one flat map: `mysql.v8` or
`clickhouse` to a text. */}}
{{- define "ksnapshot.flatImages" -}}
{{- $flat := dict }}
{{- range $type, $given := . }}
{{- if kindIs "map" $given }}
{{- range $version, $text := $given }}
{{- $_ := set $flat (printf "%s.%s" $type $version) ($text | default "") }}
{{- end }}
{{- else }}
{{- $_ := set $flat $type ($given | default "") }}
{{- end }}
{{- end }}
{{- toYaml $flat }}
{{- end }}

{{/* The images of dumperImages as one flat map, that of `mysql.v8` or of `clickhouse` to its reference.
What `helm upgrade --reuse-values` did not bring is the published image, too. */}}
{{- define "ksnapshot.dumperImages" -}}
{{- $images := include "ksnapshot.flatImages" .Values.dumperImages | fromYaml }}
{{- $digests := include "ksnapshot.flatImages" .Values.dumperDigests | fromYaml }}
{{- range $path := concat (keys $images) (include "ksnapshot.publishedImages" . | fromJsonArray) | uniq }}
{{- if not (get $images $path) }}
{{- $published := dict "root" $ "repository" (include "ksnapshot.dumperRepository" $path) "digest" (get $digests $path) }}
{{- $_ := set $images $path (include "ksnapshot.reference" $published) }}
{{- end }}
{{- end }}
{{- toYaml $images }}
{{- end }}

{{/* The controller's variable: mysql.v5_7 is MYSQL_DUMPER_IMAGE_5_7, clickhouse CLICKHOUSE_DUMPER_IMAGE. */}}
{{- define "ksnapshot.dumperImageVariable" -}}
{{- $parts := splitList "." . }}
{{- first $parts | upper }}_DUMPER_IMAGE{{ range rest $parts }}_{{ trimPrefix "v" . }}{{ end }}
{{- end }}

{{/* The published repository: that of mysql.v5_7 ends with -mysql-5.7, that of clickhouse with -clickhouse. */}}
{{- define "ksnapshot.dumperRepository" -}}
{{- $parts := splitList "." . }}
{{- printf "ghcr.io/clickandmortar/ksnapshot-dumper-%s" (first $parts) }}{{ range rest $parts }}-{{ trimPrefix "v" . | replace "_" "." }}{{ end }}
{{- end }}

{{/* The images that a throwaway server may have, as a regular expression: those of drill.images,
whatever version they are filled with, and those that drill.allowedImages lists. The controller writes
the full names of the latter, so that no pattern has to let a name without its registry through. */}}
{{- define "ksnapshot.drillImages" -}}
{{- $drill := .Values.drill | default dict }}
{{- $patterns := list }}
{{- range $drill.images }}
{{- with . }}
{{- $patterns = append $patterns (regexReplaceAll `\\\{(major|minor|version)\\\}` (regexQuoteMeta .) `[\w.-]+`) }}
{{- end }}
{{- end }}
{{- range include "ksnapshot.allowedImages" . | fromJsonArray }}
{{- $patterns = append $patterns (regexQuoteMeta . | replace `\*` ".*") }}
{{- end }}
{{- printf "^(%s)$" (join "|" $patterns) }}
{{- end }}
