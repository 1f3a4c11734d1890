# Crypt::JWT and Mojo::JWT: judges each line of standard input, accept or refuse. ISSUER=... AUDIENCE=... perl judges.pl NAME
use strict;
use warnings;
use JSON::PP qw(decode_json);
use HTTP::Tiny;
use MIME::Base64 qw(decode_base64url);

my ($issuer, $audience) = @ENV{qw(ISSUER AUDIENCE)};
my $algorithm = $ENV{ALGORITHM} // 'ES256';
my $answer = HTTP::Tiny->new->get($ENV{JWKS_URI} // "$issuer/.well-known/jwks.json");
my $jwks = decode_json($answer->{content});

my %judges = (
  'crypt-jwt' => sub {
    require Crypt::JWT;
    my ($token) = @_;
    my ($header, $claims) = Crypt::JWT::decode_jwt(
      token => $token, kid_keys => $jwks, accepted_alg => $algorithm, decode_header => 1, leeway => 60,
      verify_iss => sub { $_[0] eq $issuer }, verify_aud => sub { $_[0] eq $audience },
      verify_exp => 1, verify_nbf => 1, verify_iat => 1,
    );
    return ($header->{typ} // '') eq 'at+jwt';
  },
  # It reads neither iss nor aud, and throws typ away.
  'mojo-jwt' => sub {
    require Mojo::JWT;
    my ($token) = @_;
    my $jwt = Mojo::JWT->new;
    $jwt->add_jwkset($jwks);
    my $claims = $jwt->decode($token);
    my $header = decode_json(decode_base64url((split /\./, $token)[0]));
    return ($header->{typ} // '') eq 'at+jwt' && $jwt->algorithm eq $algorithm && exists $claims->{exp}
      && $claims->{iss} eq $issuer && $claims->{aud} eq $audience;
  },
);

$| = 1;
my $judge = $judges{$ARGV[0]};
while (my $token = <STDIN>) {
  chomp $token;
  my $is_good = eval { $judge->($token) };
  print STDERR $@ if $@ && $ENV{DEBUG};
  print $is_good ? "accept\n" : "refuse\n";
}
