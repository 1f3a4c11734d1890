# ruby-jwt: judges each line of standard input, accept or refuse. ISSUER=... AUDIENCE=... ruby ruby-jwt.rb
require 'json'
require 'jwt'
require 'net/http'

ISSUER, AUDIENCE = ENV.fetch('ISSUER'), ENV.fetch('AUDIENCE')
JWKS = JSON.parse(Net::HTTP.get(URI(ENV.fetch('JWKS_URI', "#{ISSUER}/.well-known/jwks.json"))), symbolize_names: true)
OPTIONS = {
  algorithms: [ENV.fetch('ALGORITHM', 'ES256')], jwks: JWKS, leeway: 60, required_claims: %w[exp iss aud sub],
  iss: ISSUER, verify_iss: true, aud: AUDIENCE, verify_aud: true
}.freeze

$stdout.sync = true
$stdin.each_line(chomp: true) do |token|
  _, header = JWT.decode(token, nil, true, OPTIONS)
  # The library checks no typ.
  puts header['typ'] == 'at+jwt' ? 'accept' : 'refuse'
rescue StandardError => e
  warn e.inspect if ENV['DEBUG']
  puts 'refuse'
end
