// Package colour says which colours can be read on the pages: it computes the contrast of WCAG 2.2.
package colour
