"""A model server without a model: it speaks the HTTP API and the metrics of vLLM or of SGLang."""
