// The custom resource definitions that the sandbox installs, read from the published modules; nothing here is compiled.
module rolloutbot/tools/crds

go 1.26.0

require (
	sigs.k8s.io/gateway-api v1.6.1
	sigs.k8s.io/gateway-api-inference-extension v1.6.0
)
