package config

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong with how the program was called or configured. It never shows a secret.
type Fault struct {
	// Subject names what is wrong, such as the flag and the variable; Problem continues that sentence.
	Subject string
	Problem string
	Remedy  string
}

func (f Fault) String() string { return f.Subject + " " + f.Problem + ". " + f.Remedy }

// Faults are all faults of a call. The program exits with 2.
type Faults []Fault

func (fs Faults) Error() string {
	if len(fs) == 1 {
		return fs[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d errors:", len(fs))
	for _, f := range fs {
		b.WriteString("\n  " + f.String())
	}
	return b.String()
}

// invalid describes what is wrong with a value and how to fix it. The problem continues a sentence that begins with the option.
type invalid struct{ problem, remedy string }

func (i *invalid) Error() string { return i.problem + ". " + i.remedy }

// Nearest returns the name that is most like the given one, at fewer than limit changes; "" if there is none.
func Nearest(name string, names []string, limit int) string {
	best := ""
	for _, n := range names {
		if d := editDistance(name, n); d < limit {
			best, limit = n, d
		}
	}
	return best
}

// orNearest returns the end of a remedy: the nearest name, if one is near.
func orNearest(name string, names []string) string {
	if best := Nearest(name, names, 4); best != "" {
		return ", or write " + best + " if that was meant."
	}
	return "."
}

// editDistance returns the number of insertions, deletions and replacements between two texts (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
