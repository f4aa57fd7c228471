package directory

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// OpenMySQL prepares connections to MySQL or MariaDB by a URL: mysql://user:password@host:3306/name, with parameters of the driver. Django
// writes times in UTC. The error does not quote the URL.
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
	c, err := mysql.ParseDSN("/?" + u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("its parameters: %w", err)
	}
	c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", address, u.User.Username(), password, strings.Trim(u.Path, "/")
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
