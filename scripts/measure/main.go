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
	"maps"
	"os"
	"slices"
	"strings"
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
	return measure(root, fset, files)
}

func measure(root string, fset *token.FileSet, files []goFile) error {
	path, err := refreshFiles(root)
	if err != nil {
		return err
	}
	packages, err := checkPackages(root, fset, files)
	if err != nil {
		return err
	}
	leaves := 0
	for _, onTheWay := range path {
		if !onTheWay {
			leaves++
		}
	}
	var back []string
	var backs []counted
	for _, p := range packages {
		arrows := p.backArrows(fset)
		back, backs = append(back, arrows...), append(backs, counted{p.dir, len(arrows)})
	}
	slices.Sort(back)
	greatestFirst(backs)
	exported, taken := exportedNames(packages), interfacesTaken(packages)
	fileLines, functionLines := sizes(fset, files)
	lines := 0
	for _, n := range fileLines {
		lines += n
	}

	row := func(name string, value any) { fmt.Printf("%-50s %v\n", name, value) }
	row("files of one refresh", fmt.Sprintf("%d, and %d that every request passes or that compute values", len(path)-leaves, leaves))
	row("exported names, widest package", fmt.Sprintf("%d (%s)", exported[0].n, exported[0].name))
	row("widest interface that a consumer takes", fmt.Sprintf("%d (%s)", taken[0].n, taken[0].name))
	row("arrows back between the files of a package", fmt.Sprintf("%d at most (%s), %d in all", backs[0].n, backs[0].name, len(back)))
	row("idioms per 10,000 words of comments", idiomRate(fset, files))
	row("lines of functions", percentiles(functionLines))
	row("lines of files", percentiles(fileLines))
	row("lines of production code", lines)

	fmt.Println("\nFiles of one refresh (those in parentheses are passed by every request, or compute values):")
	for _, name := range slices.Sorted(maps.Keys(path)) {
		if !path[name] {
			name = "(" + name + ")"
		}
		fmt.Println("  " + name)
	}

	printCounts("Exported names:", exported)
	printCounts("Widest interface taken:", taken)
	fmt.Println("\nArrows back:\n  " + strings.Join(back, "\n  "))
	return nil
}

// idiomRate returns the number of idioms per 10,000 words of comments.
func idiomRate(fset *token.FileSet, files []goFile) string {
	idioms, words := 0, 0
	for _, f := range files {
		for _, t := range textsOf(fset, f) {
			if t.comment {
				idioms += len(findIdioms(t.content))
				words += len(strings.Fields(t.content))
			}
		}
	}
	return fmt.Sprintf("%.1f (%d in %d words)", float64(idioms)*10000/float64(words), idioms, words)
}

func printCounts(title string, list []counted) {
	fmt.Println("\n" + title)
	for _, c := range list[:min(len(list), 15)] {
		fmt.Printf("%6d %s\n", c.n, c.name)
	}
}
