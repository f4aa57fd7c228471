// Package console is the operators' console: users, clients and the audit log, for people in the group of operators.
//
// It does what the commands and the API for operators do, through the same services. Every change needs a login within the last ten
// minutes, and one that ends several sessions says how many before it does.
package console
