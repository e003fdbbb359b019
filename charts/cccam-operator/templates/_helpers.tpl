{{- define "cccam-operator.name" -}}
{{- if contains "cccam-operator" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-cccam-operator" .Release.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "cccam-operator.selector" -}}
app.kubernetes.io/name: cccam-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cccam-operator.labels" -}}
{{ include "cccam-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}

{{- define "cccam-operator.image" -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}

{{- define "cccam-operator.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "cccam-operator.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- /* Whether the custom resource is this release's, or not there yet: Helm refuses to touch one that kubectl or another release has installed. */}}
{{- define "cccam-operator.ownsCrd" -}}
{{- $there := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "cccampools.cccam.dev" | default dict }}
{{- $annotations := dig "metadata" "annotations" (dict) $there }}
{{- if or (not $there) (and (eq (get $annotations "meta.helm.sh/release-name") .Release.Name) (eq (get $annotations "meta.helm.sh/release-namespace") .Release.Namespace)) }}yes{{ end }}
{{- end }}
