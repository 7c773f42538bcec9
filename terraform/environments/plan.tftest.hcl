mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

run "plan" {
  command = plan
}
