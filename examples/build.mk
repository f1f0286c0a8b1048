# jobctl in a Makefile: the target fails when the job fails; make prints the job's exit code.
#   make -f examples/build.mk report.csv
report.csv: words.txt
	jobctl run --in words.txt=words.txt --out report.csv=report.csv \
		--sh 'sort words.txt | uniq -c | sort -rn > report.csv' busybox:latest

words.txt:
	printf 'to be or not to be\n' | tr ' ' '\n' > $@
