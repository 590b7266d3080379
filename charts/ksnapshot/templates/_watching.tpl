{{/* The names that rbac.readNames gives a namespace, as JSON: an empty map where it narrows nothing. `root` is the
chart. */}}
{{- define "ksnapshot.readNames" -}}
{{- $given := .root.Values.rbac.readNames | default dict }}
{{- get $given .namespace | default (get $given "*") | default dict | toJson }}
{{- end }}

{{/* What the controller may do in a watched namespace. `names` is the entry of rbac.readNames: a kind that it leaves
out is not narrowed. A right to list, or to create, cannot go by names that are yet to be found. */}}
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

{{/* Names that would narrow nothing, as a JSON list of faults. */}}
{{- define "ksnapshot.watchFaults" -}}
{{- $faults := list }}
{{- $watched := include "ksnapshot.watchNamespaces" . | fromJsonArray }}
{{- range $namespace := keys (.Values.rbac.readNames | default dict) | sortAlpha }}
{{- if and (ne $namespace "*") (not (has $namespace $watched)) }}
{{- $faults = append $faults (printf "rbac.readNames has the namespace %s, which is not watched: correct its name, take it out, or add it to watchNamespaces" $namespace) }}
{{- end }}
{{- end }}
{{- toJson $faults }}
{{- end }}
