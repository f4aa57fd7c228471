package postgrestest

// Durable starts a cluster with fsync on, in the usual folder for temporary files: for measurements that mean a disk.
// Stop ends and removes it.
func Durable() (c *OwnCluster, stop func(), err error) {
	c, err = start(true)
	if err != nil {
		return nil, nil, err
	}
	return c, c.remove, nil
}
