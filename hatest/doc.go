// Package hatest runs the reference deployment of deploy/ on one machine and breaks it under traffic: etcd, three Postgres under
// Patroni with synchronous replication, HAProxy, PgBouncer, and three Latchkeys, as plain processes on loopback.
//
// Clients of every rotation policy do as they are told: they try again on 503 with Retry-After and on errors of the connection. Each
// event is a row of a table:
//
//   - LOST: sessions of such clients that ended
//   - RESURRECTED: tokens that worked after their end had been acknowledged
//   - ODD: answers that are neither 2xx, nor 503 with Retry-After, nor an error of the connection
//   - gap: the longest time in which no request of any client succeeded
//   - recovery: from the event until every client had a success that it did not wait for
//   - keys: the longest time in which the key set was not served
//
// LOST and RESURRECTED must be 0. An event without synchronous replication may cost what docs/operations.md names: sessions that began or
// ended while no standby followed, which are counted apart. An operator ends sessions of a user and of a client all the time. What a
// machine does not permit (a file system for a disk that is full, a history for the previous release) is reported as NOT DONE. The variable LATCHKEY_TEST_HA is short or long (make test-ha-short, make test-ha); without it the
// test is skipped. Missing programs are installed from Debian's packages, as root.
package hatest
