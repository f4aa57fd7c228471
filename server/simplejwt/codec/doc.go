// Package codec reads and writes JSON Web Tokens exactly as djangorestframework-simplejwt does with PyJWT.
//
// It knows no sessions and no blacklist: what a token says is judged here, whether its session lives is not.
package codec
