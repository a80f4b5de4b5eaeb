// Password
