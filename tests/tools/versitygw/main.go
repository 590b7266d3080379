// Command versitygw is the Versity S3 gateway with nothing but a folder as its store.
//
// The stock program links its own test suite and the clients of Azure and AWS IAM, a third of its
// build time. The options that are here mean, and default to, what they do there:
//
//	versitygw [options] posix [--sidecar folder] [--versioning-dir folder] folder
//	versitygw admin [options] create-user [options]
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/xml"
	"flag"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

var (
	options    = flag.CommandLine
	port       = options.String("port", ":7070", "address to listen on")
	region     = options.String("region", "us-east-1", "region of the server")
	health     = options.String("health", "", "path that answers without a signature")
	iamDir     = options.String("iam-dir", "", "folder of the accounts")
	cert       = options.String("cert", "", "TLS certificate")
	key        = options.String("key", "", "TLS key")
	quiet      = options.Bool("quiet", false, "do not print each request")
	keepAlive  = options.Bool("keep-alive", false, "keep connections")
	sidecarDir = options.String("sidecar", "", "folder for what else is in extended attributes")
	versionDir = options.String("versioning-dir", "", "folder of old versions of objects")
	endpoint   = options.String("endpoint-url", "", "server to administrate")
	insecure   = options.Bool("allow-insecure", false, "do not verify the server's certificate")
	access     = options.String("access", "", "access key: the administrator's, then the user's")
	secret     = options.String("secret", "", "secret key, likewise")
	role       = options.String("role", "", "role of the user")
)

func main() {
	flag.Parse()
	switch command := next(); command {
	case "posix":
		serve()
	case "admin":
		administrator := aws.Credentials{AccessKeyID: *access, SecretAccessKey: *secret}
		if command = next(); command != "create-user" {
			log.Fatalf("no such admin command: %q", command)
		}
		createUser(administrator)
	default:
		log.Fatalf("no such command: %q", command)
	}
}

// next is the word before the next options, which it reads.
func next() string {
	word := flag.Arg(0)
	if word != "" {
		must(0, options.Parse(flag.Args()[1:]))
	}
	return word
}

func serve() {
	store := posix.PosixOpts{
		SideCarDir: *sidecarDir, VersioningDir: *versionDir,
		Concurrency: 5000, IOBufferSize: 1 << 20, CopyObjectThreshold: 5 << 30,
	}
	var attributes meta.MetadataStorer = meta.XattrMeta{}
	if *sidecarDir != "" {
		attributes = must(meta.NewSideCar(*sidecarDir))
	}
	backend := must(posix.New(flag.Arg(0), attributes, store))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	must(0, embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess: os.Getenv("ROOT_ACCESS_KEY"), RootUserSecret: os.Getenv("ROOT_SECRET_KEY"),
		Region: *region, Ports: []string{*port}, HealthPath: *health, CertFile: *cert, KeyFile: *key,
		IAMDir: *iamDir, IAMCacheTTL: 120, IAMCachePrune: 3600, Quiet: *quiet, KeepAlive: *keepAlive,
		MaxConnections: 250_000, MaxRequests: 100_000, MultipartMaxParts: 10_000,
	}))
}

func createUser(by aws.Credentials) {
	body := must(xml.Marshal(auth.Account{Access: *access, Secret: *secret, Role: auth.Role(*role)}))
	request := must(http.NewRequest(http.MethodPatch, *endpoint+"/create-user", bytes.NewReader(body)))
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	request.Header.Set("X-Amz-Content-Sha256", digest)
	signer := v4.NewSigner()
	must(0, signer.SignHTTP(request.Context(), by, request, digest, "s3", *region, time.Now()))
	trust := &tls.Config{InsecureSkipVerify: *insecure}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: trust}}
	answer := must(client.Do(request))
	if text := must(io.ReadAll(answer.Body)); answer.StatusCode >= 400 {
		log.Fatalf("%s: %s", answer.Status, text)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
