{{/* With --reuse-values Helm takes the former chart's defaults for this one's: what is new is
     missing. Every template that needs them asks here first, before it fails for it. */}}
{{- define "redyno.hasItsValues" -}}
{{- $there := .Values.flush -}}
{{- range $parent, $keys := dict "networkPolicy" (list "runs" "operator" "dns" "scrapers") "metrics" (list "serviceMonitor" "podMonitor" "rules" "dashboards") -}}
{{- $values := index $.Values $parent | default dict -}}
{{- range $keys -}}{{- $there = and $there (index $values .) -}}{{- end -}}
{{- end -}}
{{- if not $there -}}
{{- fail "values of this chart are missing, as after --reuse-values: upgrade with --reset-then-reuse-values" -}}
{{- end -}}
{{- end -}}

{{/* The operator's name, and the prefix of everything cluster-wide. */}}
{{- define "redyno.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "redyno" .Release.Name -}}
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

{{/* The chart's labels, which commonLabels cannot replace. */}}
{{- define "redyno.labels" -}}
{{- $own := include "redyno.selectorLabels" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- merge $own .Values.commonLabels | toYaml -}}
{{- end -}}

{{/* The chart's labels and those of some values: (list $ dict...). The chart's own stay. */}}
{{- define "redyno.labelsWith" -}}
{{- $all := include "redyno.labels" (first .) | fromYaml -}}
{{- range rest . -}}{{- $all = merge $all . -}}{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{/* The labels of the pods that the operator makes, whatever the release is called. */}}
{{- define "redyno.madeByOperator" -}}
app.kubernetes.io/managed-by: redyno-operator
{{- end -}}

{{/* Where the pods of runs are, as far as the chart knows: a list in YAML. */}}
{{- define "redyno.runNamespaces" -}}
{{- .Values.networkPolicy.namespaces | default .Values.watchNamespaces | toYaml -}}
{{- end -}}

{{/* "true" if a switch (auto, true, false) is on: (list $ switch kind...). `auto` is on if the
     cluster has one of these kinds of the Prometheus Operator. */}}
{{- define "redyno.isOn" -}}
{{- $root := index . 0 -}}
{{- if eq (index . 1 | toString) "true" -}}true{{- else if eq (index . 1 | toString) "auto" -}}
{{- range slice . 2 -}}
{{- if $root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" .) -}}true{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "redyno.serviceMonitorIsOn" -}}
{{- $switch := .Values.metrics.serviceMonitor.enabled -}}
{{- if and (eq (toString $switch) "true") (not .Values.metrics.service) -}}
{{- fail "metrics.serviceMonitor.enabled is true, but it needs the Service: set metrics.service to true" -}}
{{- end -}}
{{- if or (ne (toString $switch) "auto") (and .Values.metrics.service (not .Values.metrics.scrapeAnnotations)) -}}
{{- include "redyno.isOn" (list . $switch "ServiceMonitor") -}}
{{- end -}}
{{- end -}}

{{- define "redyno.podMonitorIsOn" -}}
{{- $switch := .Values.metrics.podMonitor.enabled -}}
{{- if or (ne (toString $switch) "auto") (not .Values.metrics.scrapeAnnotations) -}}
{{- include "redyno.isOn" (list . $switch "PodMonitor") -}}
{{- end -}}
{{- end -}}

{{- define "redyno.rulesAreOn" -}}
{{- include "redyno.isOn" (list . .Values.metrics.rules.enabled "PrometheusRule") -}}
{{- end -}}

{{/* Grafana has no API here: where there is a Prometheus Operator its sidecar is usual. */}}
{{- define "redyno.dashboardsAreOn" -}}
{{- include "redyno.isOn" (list . .Values.metrics.dashboards.enabled "PrometheusRule") -}}
{{- end -}}

{{/* Two intervals of the PodMonitor: the first may have begun before the end. Prometheus' default
     interval is a minute. */}}
{{- define "redyno.lingerSeconds" -}}
{{- if ne (toString .Values.lingerSeconds) "auto" -}}
{{- .Values.lingerSeconds | int -}}
{{- else if include "redyno.podMonitorIsOn" . -}}
{{- $interval := .Values.metrics.podMonitor.interval -}}
{{- $seconds := trimSuffix "s" $interval -}}
{{- if hasSuffix "m" $interval -}}{{- $seconds = mul 60 (trimSuffix "m" $interval | int) -}}{{- end -}}
{{- min 3600 (mul 2 (int $seconds)) -}}
{{- else if .Values.metrics.scrapeAnnotations -}}
60
{{- else -}}
0
{{- end -}}
{{- end -}}

{{/* What a monitor's endpoint has in common: (list values job). Labels that a metric has itself
     stay: `namespace` is that of the LoadTest. The name of the job is the same whatever the release
     is called, for dashboards and alerts. */}}
{{- define "redyno.endpoint" -}}
{{- $values := index . 0 -}}
path: /metrics
interval: {{ $values.interval }}
{{- with $values.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
honorLabels: true
relabelings:
- targetLabel: job
  replacement: {{ index . 1 }}
{{- with $values.relabelings }}
{{ toYaml . }}
{{- end }}
{{- with $values.metricRelabelings }}
metricRelabelings:
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* One rule of a NetworkPolicy: (list "to" peers ports protocol...). No peers: any address. */}}
{{- define "redyno.rule" -}}
{{- $rule := dict -}}
{{- if index . 1 -}}{{- $_ := set $rule (index . 0) (index . 1) -}}{{- end -}}
{{- $ports := list -}}
{{- range $port := index . 2 -}}
{{- range slice $ 3 -}}{{- $ports = append $ports (dict "protocol" . "port" $port) -}}{{- end -}}
{{- end -}}
{{- $_ := set $rule "ports" $ports -}}
{{- list $rule | toYaml -}}
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
