// Package djangotest holds Latchkey's simplejwt routes against the real djangorestframework-simplejwt, and real APIs behind them.
//
// Its tests need Debian's packages of Django, REST framework, simplejwt and gunicorn for /usr/bin/python3. Without them they
// are skipped, unless LATCHKEY_TEST_DJANGO is "require": then the packages are installed, and it is a failure when
// they can't be.
//
// LATCHKEY_TEST_DJANGO_PYTHON names another Python, which has newer releases. Tests that know the words of Debian's are skipped then.
//
// LATCHKEY_TEST_DJANGO_SEED and LATCHKEY_TEST_DJANGO_REQUESTS choose what the comparison generates; the seed "random"
// draws one, and the run says which.
package djangotest
