{{/* The operator's name, and the prefix of everything cluster-wide. */}}
{{- define "redyno.name" -}}
{{- if contains "redyno" .Release.Name -}}
{{- printf "%s-operator" (.Release.Name | trunc 50 | trimSuffix "-") -}}
{{- else -}}
{{- printf "%s-redyno-operator" (.Release.Name | trunc 43 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "redyno.selectorLabels" -}}
app.kubernetes.io/name: redyno
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "redyno.labels" -}}
{{ include "redyno.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "redyno.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "redyno.name" .) -}}
{{- else -}}
{{- required "serviceAccount.name must name an existing ServiceAccount when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* An image: (list $ "runner"). */}}
{{- define "redyno.image" -}}
{{- $root := index . 0 -}}
{{- $image := index $root.Values.images (index . 1) -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default $root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The operator's rights in the namespaces of LoadTests. No Secrets, no pods/log, no pods/exec,
     no wildcard: a test holds that. */}}
{{- define "redyno.rules" -}}
# Read the tests; delete one when its ttlSecondsAfterFinished is over.
- apiGroups: [redyno.dev]
  resources: [loadtests]
  verbs: [get, list, watch, delete]
- apiGroups: [redyno.dev]
  resources: [loadtests/status]
  verbs: [patch]
# Preflight, dynos, finish: created once, never changed.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
# Watched for what they report at their end; the managed Redis is a pod.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, delete]
# The managed Redis' address.
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, delete]
# The plan of a run and its report.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch]
# Say what happens; find out why a pod does not start.
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [create, patch, list]
{{- end -}}
