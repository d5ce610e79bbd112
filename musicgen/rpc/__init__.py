"""What every gRPC server and client of the studio shares."""
