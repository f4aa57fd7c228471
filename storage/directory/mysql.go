package directory

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// OpenMySQL prepares connections to MySQL or MariaDB by a URL: mysql://user:password@host:3306/name, with parameters of the driver, or with
// unix_socket=PATH, which stands for the host. Django writes times in UTC. The error does not quote the URL.
func OpenMySQL(text string) (*sql.DB, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return nil, errors.New("no URL like mysql://user:password@host:3306/name")
	}
	address := u.Host
	if u.Port() == "" {
		address = u.Hostname() + ":3306"
	}
	password, _ := u.User.Password()
	// The driver's own form has no escapes: the parameters are read by it, the rest is set.
	parameters := u.Query()
	socket := parameters.Get("unix_socket")
	parameters.Del("unix_socket")
	c, err := mysql.ParseDSN("/?" + parameters.Encode())
	if err != nil {
		return nil, fmt.Errorf("its parameters: %w", err)
	}
	c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", address, u.User.Username(), password, strings.Trim(u.Path, "/")
	if socket != "" {
		c.Net, c.Addr = "unix", socket
	}
	c.ParseTime, c.Loc, c.ClientFoundRows, c.InterpolateParams = true, time.UTC, true, true
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	db.SetConnMaxIdleTime(time.Minute) // the server ends idle connections too
	return db, nil
}

// IsRefused reports whether a statement of MySQL failed for good: a table or a column is missing, or the role may not.
func IsRefused(err error) bool {
	var refused *mysql.MySQLError
	return errors.As(err, &refused) && slices.Contains([]uint16{1044, 1045, 1054, 1142, 1143, 1146}, refused.Number)
}
