// Package logo shows the logos of clients on our pages without their hosts learning who looks at them: the server fetches a logo,
// keeps it for a while, and shows it as its own. Only pictures that no browser runs code of get through; SVG is none of these.
package logo
