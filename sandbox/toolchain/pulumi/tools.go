//go:build tools

// Package tools names the commands that are built from this module. Pulumi's own modules carry
// replace directives, so `go install …@version` refuses them; requiring them from a module of our
// own does not.
package tools

import (
	_ "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml"
	_ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
)
