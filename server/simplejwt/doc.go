// Package simplejwt speaks the wire format of djangorestframework-simplejwt, in front of the token service.
package simplejwt
