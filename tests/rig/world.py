"""An AWS account's worth of what a worker meets, made and looked at with boto3.

    world.py ENDPOINT make PORT              a network, an instance, a load balancer that forwards to a target
                                             group `lks-tg-chat` of that port, and by path to `lks-tg-scoring`
                                             and `lks-tg-llm`; prints the first group's ARN and the instance's id
    world.py ENDPOINT health GROUP INSTANCE  prints how the load balancer calls the instance, of a group's ARN
                                             or name
    world.py ENDPOINT stop INSTANCE
    world.py ENDPOINT keep BUCKET KEY FILE   puts a file into a bucket of its own
"""
import sys

import boto3


def client(name):
    return boto3.client(name, region_name="us-east-1", endpoint_url=sys.argv[1],
                        aws_access_key_id="x", aws_secret_access_key="x")


def make(port):
    ec2, elb = client("ec2"), client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="172.32.0.0/23")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=c, AvailabilityZone=z)["Subnet"]["SubnetId"]
               for c, z in (("172.32.1.0/25", "us-east-1a"), ("172.32.1.128/25", "us-east-1b"))]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnets[0])
    group, scoring, llm = (
        elb.create_target_group(Name=name, Protocol="HTTP", Port=int(port), VpcId=vpc,
                                HealthCheckPath="/api/version")["TargetGroups"][0]["TargetGroupArn"]
        for name in ("lks-tg-chat", "lks-tg-scoring", "lks-tg-llm"))
    made_too = elb.create_load_balancer(Name="lks-alb", Subnets=subnets, Scheme="internal")
    balancer = made_too["LoadBalancers"][0]["LoadBalancerArn"]
    made_third = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80,
                                     DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
    listener = made_third["Listeners"][0]["ListenerArn"]
    for priority, path, other in ((10, "/api/generate*", scoring), (20, "/api/tags", llm)):
        elb.create_rule(ListenerArn=listener, Priority=priority,
                        Conditions=[{"Field": "path-pattern", "Values": [path]}],
                        Actions=[{"Type": "forward", "TargetGroupArn": other}])
    print(group, made["Instances"][0]["InstanceId"])


def health(group, instance):
    elb = client("elbv2")
    if not group.startswith("arn:"):
        group = elb.describe_target_groups(Names=[group])["TargetGroups"][0]["TargetGroupArn"]
    told = elb.describe_target_health(TargetGroupArn=group, Targets=[{"Id": instance}])
    print(told["TargetHealthDescriptions"][0]["TargetHealth"]["State"])


def stop(instance):
    client("ec2").stop_instances(InstanceIds=[instance])


def keep(bucket, key, file):
    client("s3").create_bucket(Bucket=bucket)
    client("s3").upload_file(file, bucket, key)


{"make": make, "health": health, "stop": stop, "keep": keep}[sys.argv[2]](*sys.argv[3:])
