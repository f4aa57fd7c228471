// Package grants lists and ends sessions for operators: the access that clients have for users. The command line and the API for operators
// share it.
package grants
