// Package logo shows the logos of clients on the server's pages without their hosts learning who looks at them: the server fetches a
// logo, keeps it for a while, and serves it itself. Only pictures that no browser executes are served; SVG is not one of these.
package logo
