package main

import (
	"testing"
)

func TestFeedback(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		n      int
		arrows [][2]int
		want   int
	}{
		"a line":           {3, [][2]int{{2, 1}, {1, 0}}, 0},
		"two files":        {2, [][2]int{{0, 1}, {1, 0}}, 1},
		"a ring":           {4, [][2]int{{0, 1}, {1, 2}, {2, 3}, {3, 0}}, 1},
		"two rings":        {5, [][2]int{{0, 1}, {1, 0}, {2, 3}, {3, 4}, {4, 2}, {1, 2}}, 2},
		"a hub used twice": {3, [][2]int{{0, 1}, {0, 2}, {1, 0}, {2, 0}}, 2},
	} {
		arrows := map[[2]int]bool{}
		for _, a := range c.arrows {
			arrows[a] = true
		}
		if back := feedback(c.n, arrows); len(back) != c.want {
			t.Errorf("%s: %v, want %d", name, back, c.want)
		}
	}
}
