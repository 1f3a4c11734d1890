// Judges each line of standard input: accept or refuse. ISSUER=... AUDIENCE=... go run .
package main

import (
	"bufio"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

func main() {
	issuer, audience := os.Getenv("ISSUER"), os.Getenv("AUDIENCE")
	keys, err := keyfunc.NewDefault([]string{issuer + "/.well-known/jwks.json"})
	if err != nil {
		log.Fatal(err)
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256"}),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(time.Minute),
	)
	verify := func(text string) error {
		token, err := parser.Parse(text, keys.Keyfunc)
		if err != nil {
			return err
		}
		// The library checks no typ.
		if token.Header["typ"] != "at+jwt" {
			return errors.New("no access token")
		}
		return nil
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 65536), 65536)
	for lines.Scan() {
		if verify(lines.Text()) == nil {
			fmt.Println("accept")
		} else {
			fmt.Println("refuse")
		}
	}
}
