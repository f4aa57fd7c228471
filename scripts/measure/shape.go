package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"
)

func byDir(files []goFile) map[string][]goFile {
	groups := map[string][]goFile{}
	for _, f := range files {
		groups[f.dir()] = append(groups[f.dir()], f)
	}
	return groups
}

func joined(set map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(set)), " ") }

// counted is something with a number, for lists of the greatest.
type counted struct {
	name string
	n    int
}

func greatestFirst(list []counted) []counted {
	slices.SortFunc(list, func(a, b counted) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.name, b.name)) })
	return list
}

// exportedNames returns the number of exported functions, types, variables and constants of each package, and of the exported
// methods of its exported types. Fields do not count.
func exportedNames(packages []checked) []counted {
	var list []counted
	for _, p := range packages {
		n := 0
		for _, name := range p.types.Scope().Names() {
			if !token.IsExported(name) {
				continue
			}
			n++
			if declared, ok := p.types.Scope().Lookup(name).(*types.TypeName); ok && !declared.IsAlias() {
				n += exportedMethods(declared.Type().(*types.Named))
			}
		}
		list = append(list, counted{p.dir, n})
	}
	return greatestFirst(list)
}

func exportedMethods(t *types.Named) (n int) {
	for m := range t.Methods() {
		if m.Exported() {
			n++
		}
	}
	return n
}

// interfacesTaken returns, for each package, the widest of Latchkey's interfaces among the types of its structs' fields and of its
// functions' parameters. Left out are the packages under storage, which implement the interfaces, and those that only put the
// server together.
func interfacesTaken(packages []checked) []counted {
	var list []counted
	for _, p := range packages {
		if p.dir == "server" || strings.HasPrefix(p.dir+"/", "storage/") || strings.HasPrefix(p.dir, "cmd/") {
			continue
		}
		widest := counted{}
		for _, obj := range p.info.Defs {
			variable, ok := obj.(*types.Var)
			if !ok || !variable.IsField() && variable.Kind() != types.ParamVar {
				continue
			}
			if named, n := ourInterface(variable.Type()); n > widest.n || n == widest.n && n > 0 && p.dir+": "+named < widest.name {
				widest = counted{p.dir + ": " + named, n}
			}
		}
		if widest.n > 0 {
			list = append(list, widest)
		}
	}
	return greatestFirst(list)
}

// ourInterface returns the name and the number of methods of an interface that this repository declares.
func ourInterface(t types.Type) (string, int) {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil || !strings.HasPrefix(named.Obj().Pkg().Path(), "latchkey/") {
		return "", 0
	}
	i, ok := named.Underlying().(*types.Interface)
	if !ok {
		return "", 0
	}
	return named.Obj().Pkg().Name() + "." + named.Obj().Name(), i.NumMethods()
}

// sizes returns the lines of every file and of every function.
func sizes(fset *token.FileSet, files []goFile) (fileLines, functionLines []int) {
	for _, f := range files {
		fileLines = append(fileLines, fset.File(f.syntax.FileStart).LineCount()-1)
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				functionLines = append(functionLines, fset.Position(fn.End()).Line-fset.Position(fn.Pos()).Line+1)
			}
		}
	}
	slices.Sort(fileLines)
	slices.Sort(functionLines)
	return fileLines, functionLines
}

// percentiles prints the median and the 90th percentile of sorted numbers.
func percentiles(sorted []int) string {
	return fmt.Sprintf("p50 %d, p90 %d, max %d", sorted[len(sorted)/2], sorted[len(sorted)*9/10], sorted[len(sorted)-1])
}
