# jobctl in a Makefile: the target fails when the job does, with the job's own exit code in make's message.
#   make -f examples/build.mk report.csv
report.csv: words.txt
	jobctl run --in words.txt=words.txt --out report.csv=report.csv \
		--sh 'sort words.txt | uniq -c | sort -rn > report.csv' busybox:latest

words.txt:
	printf 'to be or not to be\n' | tr ' ' '\n' > $@
