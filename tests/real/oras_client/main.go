// oras, the client of the ORAS project: another reader and copier of our artifacts.
//
// It is its own main function that is called here, so that its version, and those of all that it is made of, are in
// go.mod and go.sum.
package main

import (
	"os"

	"oras.land/oras/cmd/oras/root"
)

func main() {
	if err := root.New().Execute(); err != nil {
		os.Exit(1)
	}
}
