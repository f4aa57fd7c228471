// Package fetch keeps what clients publish at URLs: metadata documents, keys, logos. It bounds what others can make the server
// fetch and remember; how a URL is fetched safely is the business of its callers.
package fetch
