// Package web renders the pages that people see.
package web
