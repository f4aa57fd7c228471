// Command measure counts what is easily lost in this code base: how far one has to read to follow a request, how wide
// packages and interfaces are, how long functions and files are, and how plain the language is.
//
//	go run ./scripts/measure            prints a table
//	go run ./scripts/measure -language  fails if comments, messages or documents use a phrase of idiom.go
package main

import (
	"flag"
	"fmt"
	"go/token"
	"os"
)

func main() {
	root := flag.String("root", ".", "the repository to measure")
	language := flag.Bool("language", false, "check the language only")
	flag.Parse()
	if err := run(*root, *language); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(root string, language bool) error {
	fset := token.NewFileSet()
	files, err := parseProduction(root, fset)
	if err != nil {
		return err
	}
	if language {
		return lint(root, fset, files)
	}
	return nil
}
