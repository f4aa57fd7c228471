package main

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// checked is a type-checked package with its files.
type checked struct {
	dir   string
	files []goFile
	info  *types.Info
	types *types.Package
}

// checkPackages type-checks the production packages. Imports come from the compiler's export data.
func checkPackages(root string, fset *token.FileSet, files []goFile) ([]checked, error) {
	list := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", "./...")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list -export: %w", err)
	}
	exports := map[string]string{}
	for _, line := range strings.Fields(string(out)) {
		name, file, _ := strings.Cut(line, "=")
		exports[name] = file
	}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(name string) (io.ReadCloser, error) { return os.Open(exports[name]) })}
	var packages []checked
	for dir, group := range byDir(files) {
		p := checked{dir: dir, files: group, info: &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}}
		var syntax []*ast.File
		for _, f := range group {
			syntax = append(syntax, f.syntax)
		}
		if p.types, err = conf.Check("latchkey/"+dir, fset, syntax, p.info); err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
	return packages, nil
}

// backArrows returns, as "from → to: names", the smallest set of arrows between the files of a package that point back whatever
// the order of the files. There is an arrow from a file to the one that declares a function, type, variable or constant it uses.
func (p checked) backArrows(fset *token.FileSet) []string {
	index := map[string]int{}
	for i, f := range p.files {
		index[path.Base(f.name)] = i
	}
	uses := map[[2]int]map[string]bool{}
	for id, obj := range p.info.Uses {
		if obj.Parent() != p.types.Scope() {
			continue
		}
		from, to := index[filepath.Base(fset.Position(id.Pos()).Filename)], index[filepath.Base(fset.Position(obj.Pos()).Filename)]
		if from != to {
			if uses[[2]int{from, to}] == nil {
				uses[[2]int{from, to}] = map[string]bool{}
			}
			uses[[2]int{from, to}][obj.Name()] = true
		}
	}
	arrows := map[[2]int]bool{}
	for arrow := range uses {
		arrows[arrow] = true
	}
	var back []string
	for _, arrow := range feedback(len(p.files), arrows) {
		back = append(back, fmt.Sprintf("%s: %s → %s: %s", p.dir, path.Base(p.files[arrow[0]].name), path.Base(p.files[arrow[1]].name), joined(uses[arrow])))
	}
	return back
}

// feedback returns arrows between n nodes without which there is no cycle, as few as a local search over the orders finds:
// each node in turn is moved to where the fewest arrows point back, until no move improves the order. Where there is no cycle, the first
// order has none.
func feedback(n int, arrows map[[2]int]bool) (back [][2]int) {
	order := depthFirst(n, arrows)
	best := countBack(order, arrows)
	for improved := true; improved; {
		improved = false
		for node := range n {
			for to := range n {
				moved := move(order, node, to)
				if c := countBack(moved, arrows); c < best {
					order, best, improved = moved, c, true
				}
			}
		}
	}
	position := positions(order)
	for arrow := range arrows {
		if position[arrow[0]] > position[arrow[1]] {
			back = append(back, arrow)
		}
	}
	return back
}

// depthFirst returns the nodes so that those without a cycle stand before the nodes that they point to.
func depthFirst(n int, arrows map[[2]int]bool) []int {
	order, seen := make([]int, 0, n), make([]bool, n)
	var visit func(int)
	visit = func(node int) {
		seen[node] = true
		for to := range n {
			if arrows[[2]int{node, to}] && !seen[to] {
				visit(to)
			}
		}
		order = append(order, node)
	}
	for node := range n {
		if !seen[node] {
			visit(node)
		}
	}
	slices.Reverse(order)
	return order
}

func positions(order []int) []int {
	position := make([]int, len(order))
	for i, node := range order {
		position[node] = i
	}
	return position
}

func countBack(order []int, arrows map[[2]int]bool) (count int) {
	position := positions(order)
	for arrow := range arrows {
		if position[arrow[0]] > position[arrow[1]] {
			count++
		}
	}
	return count
}

// move returns a copy of order in which a node is at another position.
func move(order []int, node, to int) []int {
	moved := make([]int, 0, len(order))
	for _, other := range order {
		if other != node {
			moved = append(moved, other)
		}
	}
	moved = append(moved, 0)
	copy(moved[to+1:], moved[to:])
	moved[to] = node
	return moved
}
