package row

import (
	"strings"

	"latchkey/storage"
)

// LoginColumns returns the expressions for the names that a login may give. Both databases fold ASCII letters only: the column has the
// collation C on Postgres.
func LoginColumns(n storage.LoginNames, email string) []string {
	var columns []string
	if !n.NoUsername {
		columns = append(columns, "username")
	}
	if n.Email {
		columns = append(columns, email)
	}
	if n.Fold {
		for i := range columns {
			columns[i] = "lower(" + columns[i] + ")"
		}
	}
	return columns
}

// FindLogin returns the query of the ID of the one user who has a name, given as a parameter.
func FindLogin(n storage.LoginNames, email, parameter string) string {
	return `SELECT min(id) FROM users WHERE ` + strings.Join(LoginColumns(n, email), ` = `+parameter+` OR `) + ` = ` + parameter + ` HAVING count(*) = 1`
}

// CountAmbiguous returns the query for AmbiguousLogins.
func CountAmbiguous(n storage.LoginNames, email string) string {
	var names []string
	for _, column := range LoginColumns(n, email) {
		names = append(names, `SELECT id, `+column+` AS name FROM users`)
	}
	return `SELECT count(*) FROM (SELECT name FROM (` + strings.Join(names, ` UNION `) + `) AS n WHERE name <> '' GROUP BY name HAVING count(*) > 1) AS a`
}

// SecondFactor is the condition that a factor is one that a login needs, see storage.FactorKind.Second.
const SecondFactor = `kind IN ('totp', 'webauthn')`
