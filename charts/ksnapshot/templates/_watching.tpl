{{/* The names that rbac.readNames gives a namespace, as JSON: an empty map where it narrows nothing. `root` is the
chart. */}}
{{- define "ksnapshot.readNames" -}}
{{- $given := .root.Values.rbac.readNames | default dict }}
{{- get $given .namespace | default (get $given "*") | default dict | toJson }}
{{- end }}

{{/* Whether all namespaces are watched, `true` or `false`. */}}
{{- define "ksnapshot.watchesAll" -}}
{{- has "*" (include "ksnapshot.watchNamespaces" . | fromJsonArray) }}
{{- end }}

{{/* What the controller may read by name in a watched namespace. `names` is the entry of rbac.readNames: a kind
that it leaves out is not narrowed. */}}
{{- define "ksnapshot.readRules" -}}
{{- range $resource, $kind := dict "configmaps" "configMaps" "secrets" "secrets" }}
{{- if not (hasKey $.names $kind) }}
- apiGroups: [""]
  resources: [{{ $resource }}]
  verbs: [get]
{{- else if get $.names $kind }}
- apiGroups: [""]
  resources: [{{ $resource }}]
  resourceNames: {{ get $.names $kind | uniq | toJson }}
  verbs: [get]
{{- end }}
{{- end }}
{{- end }}

{{/* What the controller may do in a watched namespace. `names` is as in ksnapshot.readRules. A right to
list, or to create, cannot go by names that are yet to be found. */}}
{{- define "ksnapshot.watchRules" -}}
{{- $boards := eq (include "ksnapshot.boards" .root) "true" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
- apiGroups: [""]
  resources: [services]
  verbs: [list]
- apiGroups: [apps]
  resources: [deployments, replicasets, statefulsets]
  verbs: [get, list]
# Only those that an annotated workload's container refers to are read.
{{- include "ksnapshot.readRules" . }}
# What became of a workload, on its owner.
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- if $boards }}
# The board. A right to create cannot name the object.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ include "ksnapshot.statusName" .root }}]
  verbs: {{ ternary "[get, update]" "[update]" (hasKey .names "configMaps") }}
{{- end }}
{{- end }}

{{/* What contradicts itself in what is watched, and names that would narrow nothing, as a JSON list of faults. */}}
{{- define "ksnapshot.watchFaults" -}}
{{- $faults := list }}
{{- $watched := include "ksnapshot.watchNamespaces" . | fromJsonArray }}
{{- $all := has "*" $watched }}
{{- if and $all (gt (len $watched) 1) }}
{{- $faults = append $faults (printf "watchNamespaces (%s) must be `*` alone, for all namespaces, or names without it" (join "," $watched)) }}
{{- end }}
{{- range without $watched "*" }}
{{- if contains "*" . }}
{{- $faults = append $faults (printf "watchNamespaces has %s: only `*` alone stands for others; name each namespace, or choose them by watchNamespaceSelector" .) }}
{{- end }}
{{- end }}
{{- if and .Values.watchNamespaceSelector (not $all) }}
{{- $faults = append $faults "watchNamespaceSelector chooses among all namespaces: set watchNamespaces to `*`, or leave the selector out" }}
{{- end }}
{{- $label := "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?" }}
{{- $key := printf "([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?%s" $label }}
{{- $one := printf " *(! *%s|%s( *(==?|!=) *(%s)?| +(in|notin) *[(] *(%s)?( *, *(%s)?)* *[)])?) *" $key $key $label $label $label }}
{{- if not (regexMatch (printf "^(%s(,%s)*)?$" $one $one) (.Values.watchNamespaceSelector | default "")) }}
{{- $faults = append $faults (printf "watchNamespaceSelector (%s) is no selector by labels: write it as Kubernetes does, such as team=shop,stage notin (test)" .Values.watchNamespaceSelector) }}
{{- end }}
{{- if and $all .Values.rbac.create (eq (toString .Values.rbac.createClusterRole) "false") }}
{{- $faults = append $faults "rbac.createClusterRole must not be false when watchNamespaces is `*`: the namespaces are found by a list of them; or set rbac.create to false, and make the rights by hand" }}
{{- end }}
{{- $given := .Values.rbac.readNames | default dict }}
{{- range $namespace := without (keys $given) "*" | sortAlpha }}
{{- if $all }}
{{- range $kind, $names := get $given $namespace }}
{{- if not (hasKey (get $given "*" | default dict) $kind) }}
{{- $faults = append $faults (printf "rbac.readNames.%s.%s narrows nothing while watchNamespaces is `*` and rbac.readNames.* leaves %s out: add it there" $namespace $kind $kind) }}
{{- end }}
{{- end }}
{{- else if not (has $namespace $watched) }}
{{- $faults = append $faults (printf "rbac.readNames has the namespace %s, which is not watched: correct its name, take it out, or add it to watchNamespaces" $namespace) }}
{{- end }}
{{- end }}
{{- toJson $faults }}
{{- end }}
