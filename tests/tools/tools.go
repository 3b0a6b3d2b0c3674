//go:build tools

// Package tools pins the programs that tests build on demand with the go command; nothing here is shipped.
package tools

import _ "github.com/Shopify/toxiproxy/v2/cmd/server"
